# The software Metal device. Include it from another Makefile or run it alone, from the root of the
# tree: make -f tools/softmetal/softmetal.mk [softmetal|softmetal-test|softmetal-bench]
#
# SOFTMETAL_CXX       the compiler of the tool and of the kernels (clang++-19)
# SOFTMETAL_SANITIZE  sanitizers for everything but the kernels, as address,undefined: with a BUILD of
#                     its own, see softmetal-asan

ifndef SOFTMETAL_MK # may be included twice
SOFTMETAL_MK := 1

BUILD ?= build
SOFTMETAL_CXX ?= clang++-19
SOFTMETAL_DIR ?= tools/softmetal

# Compiled kernels: below the user's cache folder, those that recipes run below $(BUILD).
SOFTMETAL_CACHE_NAME ?= touchstone/softmetal
SOFTMETAL_CACHE ?= $(abspath $(BUILD))/softmetal-cache
export SOFTMETAL_CACHE

SOFTMETAL_LIB_FOLDERS := $(patsubst %,$(SOFTMETAL_DIR)/%,front cpu check count runtime)
SOFTMETAL_LIB_SRC := $(wildcard $(SOFTMETAL_LIB_FOLDERS:%=%/*.cpp))
SOFTMETAL_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(SOFTMETAL_LIB_SRC))
SOFTMETAL_MAIN := $(BUILD)/$(SOFTMETAL_DIR)/main.o
SOFTMETAL_BENCH := $(BUILD)/$(SOFTMETAL_DIR)/bench/bench.o
SOFTMETAL_TEST_SRC := $(wildcard $(SOFTMETAL_DIR)/tests/*.c)
SOFTMETAL_TESTS := $(patsubst $(SOFTMETAL_DIR)/tests/%.c,$(BUILD)/tests/softmetal_%,$(SOFTMETAL_TEST_SRC))
SOFTMETAL_FLAGS := -std=c++17 -O2 -g -Wall -Wextra -Wconversion -Werror -pthread -I$(SOFTMETAL_DIR) \
                   -I$(SOFTMETAL_DIR)/include -DSOFTMETAL_HEADERS='"$(abspath $(SOFTMETAL_DIR))/include"' \
                   -DSOFTMETAL_CACHE_NAME='"$(SOFTMETAL_CACHE_NAME)"'
SOFTMETAL_SANITIZE_FLAGS := $(if $(SOFTMETAL_SANITIZE),-fsanitize=$(SOFTMETAL_SANITIZE) \
  -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
SOFTMETAL_FLAGS += $(SOFTMETAL_SANITIZE_FLAGS)
SOFTMETAL_LIBS := -pthread -ldl -lm -lstdc++ $(SOFTMETAL_SANITIZE_FLAGS)
# The tests' compiler; with a sanitizer the one whose sanitizer the library has.
SOFTMETAL_TEST_CC = $(if $(SOFTMETAL_SANITIZE),clang-19,$(CC))

.PHONY: softmetal softmetal-test softmetal-asan softmetal-bench softmetal-force

include $(SOFTMETAL_DIR)/lint/lint.mk

softmetal: $(BUILD)/softmetal $(BUILD)/libsoftmetal.a

$(SOFTMETAL_OBJ) $(SOFTMETAL_MAIN) $(SOFTMETAL_BENCH): $(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' CXX $<
	@$(SOFTMETAL_CXX) $(SOFTMETAL_FLAGS) $(SOFTMETAL_CXXFLAGS) -MMD -MP -c -o $@ $<

# The cache forgets what an older pre-pass made: its sources are part of every key.
SOFTMETAL_VERSION := $(BUILD)/$(SOFTMETAL_DIR)/version.h
$(SOFTMETAL_VERSION): softmetal-force
	@mkdir -p $(@D)
	@printf '#define SOFTMETAL_SOURCES "%s"\n' \
	  "$$(cat $(SOFTMETAL_LIB_FOLDERS:%=%/*.cpp) $(SOFTMETAL_LIB_FOLDERS:%=%/*.h) $(SOFTMETAL_DIR)/*.h | cksum)" > $@.$$$$; \
	  cmp -s $@.$$$$ $@ && rm -f $@.$$$$ || mv -f $@.$$$$ $@
$(BUILD)/$(SOFTMETAL_DIR)/cpu/compiler.o: $(SOFTMETAL_VERSION)
$(BUILD)/$(SOFTMETAL_DIR)/cpu/compiler.o: SOFTMETAL_CXXFLAGS += -include $(SOFTMETAL_VERSION)

$(BUILD)/libsoftmetal.a: $(SOFTMETAL_OBJ)
	@printf '  %-7s %s\n' AR $@
	@rm -f $@.$$$$ && ar rcs $@.$$$$ $(SOFTMETAL_OBJ) && mv -f $@.$$$$ $@

$(BUILD)/softmetal: $(SOFTMETAL_MAIN) $(SOFTMETAL_LINT_OBJ) $(BUILD)/libsoftmetal.a
	@printf '  %-7s %s\n' LINK $@
	@$(SOFTMETAL_CXX) -o $@ $(SOFTMETAL_MAIN) $(SOFTMETAL_LINT_OBJ) $(BUILD)/libsoftmetal.a $(SOFTMETAL_LIBS)

$(BUILD)/softmetal-bench: $(SOFTMETAL_BENCH) $(BUILD)/libsoftmetal.a
	@printf '  %-7s %s\n' LINK $@
	@$(SOFTMETAL_CXX) -o $@ $(SOFTMETAL_BENCH) $(BUILD)/libsoftmetal.a $(SOFTMETAL_LIBS)

softmetal-bench: $(BUILD)/softmetal-bench
	@$(BUILD)/softmetal-bench

# Criterion suites in C over runtime.h: tests/compile.c is the suite softmetal_compile.
$(SOFTMETAL_TESTS): $(BUILD)/tests/softmetal_%: $(SOFTMETAL_DIR)/tests/%.c $(BUILD)/libsoftmetal.a
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' TEST $@
	@$(SOFTMETAL_TEST_CC) -std=c11 -O1 -g -Wall -Wextra -Wconversion -Werror -D_GNU_SOURCE \
	  -I$(SOFTMETAL_DIR) -DTESTS='"$(SOFTMETAL_DIR)/tests"' -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libsoftmetal.a -lcriterion -lcjson $(SOFTMETAL_LIBS)

softmetal-test: $(SOFTMETAL_TESTS) $(BUILD)/softmetal
	@status=0; for t in $(SOFTMETAL_TESTS); do TS_BUILD=$(BUILD) $$t || status=1; done; exit $$status

# All suites of the device under the address and the undefined-behaviour sanitizer: the runtime, the
# Metal objects and the tests, not the kernels (the checking mode is for those). Needs
# libclang-rt-19-dev. A fiber leaves its stack by a switch, so variables stay on the real one.
softmetal-asan:
	@mkdir -p $(BUILD)/tmp $(BUILD)/softmetal-asan/tmp
	@ASAN_OPTIONS=detect_stack_use_after_return=0 $(MAKE) --no-print-directory -k \
	  -f $(SOFTMETAL_DIR)/metal/metal.mk BUILD=$(BUILD)/softmetal-asan \
	  SOFTMETAL_SANITIZE=address,undefined softmetal-test softmetal-host-test

-include $(SOFTMETAL_OBJ:.o=.d) $(SOFTMETAL_MAIN:.o=.d) $(SOFTMETAL_BENCH:.o=.d) \
  $(SOFTMETAL_TESTS:%=%.d)

endif
