# <Metal/Metal.h> for hosts in Objective-C, and the programs that test it. Include it after
# softmetal.mk, or run it alone, from the root of the tree:
#   make -f tools/softmetal/metal/metal.mk [softmetal-metal|softmetal-host-test]
#
# SOFTMETAL_OBJC      the Objective-C compiler (clang-19)
# SOFTMETAL_GNUSTEP   where GNUstep's headers are (/usr/include/GNUstep)
#
# A host is compiled with $(SOFTMETAL_OBJC) $(SOFTMETAL_OBJC_FLAGS) and linked with
# $(SOFTMETAL_METAL_LIBS).

BUILD ?= build
SOFTMETAL_DIR ?= tools/softmetal
SOFTMETAL_OBJC ?= clang-19
SOFTMETAL_GNUSTEP ?= /usr/include/GNUstep

ifeq ($(SOFTMETAL_LIB_SRC),)
include $(SOFTMETAL_DIR)/softmetal.mk
endif

SOFTMETAL_METAL_DIR := $(SOFTMETAL_DIR)/metal
SOFTMETAL_METAL_SRC := $(wildcard $(SOFTMETAL_METAL_DIR)/src/*.m)
SOFTMETAL_METAL_OBJ := $(patsubst %.m,$(BUILD)/%.o,$(SOFTMETAL_METAL_SRC))
SOFTMETAL_METAL := $(BUILD)/libsoftmetal-metal.a
SOFTMETAL_HOST_SRC := $(wildcard $(SOFTMETAL_DIR)/tests/host_*.m)
SOFTMETAL_HOST_OBJ := $(patsubst %.m,$(BUILD)/%.o,$(SOFTMETAL_HOST_SRC))
SOFTMETAL_HOSTS := $(patsubst $(SOFTMETAL_DIR)/tests/%.m,$(BUILD)/tests/softmetal_%,$(SOFTMETAL_HOST_SRC))

# libobjc and its headers belong to the gcc that clang found; asked only when a recipe needs it.
SOFTMETAL_OBJC_FOLDER = $(eval SOFTMETAL_OBJC_FOLDER := $(dir \
  $(shell $(SOFTMETAL_OBJC) -print-file-name=libobjc.so)))$(SOFTMETAL_OBJC_FOLDER)
SOFTMETAL_OBJC_FLAGS = -fobjc-runtime=gcc -fblocks -fconstant-string-class=NSConstantString \
  -fexceptions -fobjc-exceptions -D_NATIVE_OBJC_EXCEPTIONS -DGNUSTEP -DGNUSTEP_BASE_LIBRARY=1 \
  -DGNU_RUNTIME=1 -pthread -I$(SOFTMETAL_METAL_DIR)/include -isystem $(SOFTMETAL_GNUSTEP) \
  -isystem $(SOFTMETAL_OBJC_FOLDER)include
SOFTMETAL_METAL_LIBS = $(SOFTMETAL_METAL) $(BUILD)/libsoftmetal.a -L$(SOFTMETAL_OBJC_FOLDER) \
  -lgnustep-base -lobjc $(SOFTMETAL_LIBS)

.PHONY: softmetal-metal softmetal-host-test

softmetal-metal: $(SOFTMETAL_METAL)

$(SOFTMETAL_METAL_OBJ) $(SOFTMETAL_HOST_OBJ): $(BUILD)/%.o: %.m
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' OBJC $<
	@$(SOFTMETAL_OBJC) -std=gnu11 -O2 -g -Wall -Wextra -Wconversion -Werror \
	  $(SOFTMETAL_OBJC_FLAGS) $(SOFTMETAL_SANITIZE_FLAGS) -MMD -MP -c -o $@ $<

$(SOFTMETAL_METAL): $(SOFTMETAL_METAL_OBJ)
	@printf '  %-7s %s\n' AR $@
	@rm -f $@.$$$$ && ar rcs $@.$$$$ $(SOFTMETAL_METAL_OBJ) && mv -f $@.$$$$ $@

$(SOFTMETAL_HOSTS): $(BUILD)/tests/softmetal_%: $(BUILD)/$(SOFTMETAL_DIR)/tests/%.o $(SOFTMETAL_METAL) \
                    $(BUILD)/libsoftmetal.a
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' LINK $@
	@$(SOFTMETAL_OBJC) $(SOFTMETAL_SANITIZE_FLAGS) -o $@ $< $(SOFTMETAL_METAL_LIBS)

# Each prints its failures and "N passed, N failed".
softmetal-host-test: $(SOFTMETAL_HOSTS)
	@status=0; for t in $(SOFTMETAL_HOSTS); do \
	  BUILD=$(BUILD) LSAN_OPTIONS=suppressions=$(SOFTMETAL_METAL_DIR)/lsan.supp:print_suppressions=0 \
	    $$t || status=1; done; exit $$status

-include $(SOFTMETAL_METAL_OBJ:.o=.d) $(SOFTMETAL_HOST_OBJ:.o=.d)
