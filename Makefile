CC ?= cc
BUILD := build
ALL_CFLAGS = -std=c11 -O2 -g -Wall -Wextra -Werror -Wconversion -ffp-contract=off -I. -D_GNU_SOURCE -DTS_VERSION='"0.1.0"' $(CFLAGS)
LIB_SRC := $(wildcard base/*.c engine/*.c kernels/*.c reference/*.c bench/*.c)
CLI_SRC := $(wildcard engine/cli/*.c)
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/*_test.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIBS = -lpcre2-8 -lcjson -lxxhash -lm -lpthread
all: $(BUILD)/touchstone $(TESTS)
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/libtouchstone.a: $(LIB_OBJ)
	rm -f $@; ar rcs $@ $^
$(BUILD)/touchstone: $(CLI_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libtouchstone.a
	$(CC) -o $@ $^ $(LIBS)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libtouchstone.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LIBS) -lcriterion
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
