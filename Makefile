# Touchstone's build. Only what GNU make 3.81 knows (macOS ships it); everything is built below
# $(BUILD). `make` alone lists the targets and needs no package.
#
# Settings, from the command line or the environment:
## CC, CFLAGS, LDFLAGS     compiler and flags of yours, put after ours
## PKG_CONFIG, BUILD       the pkg-config program; the folder to build in (build)
## PREFIX, DESTDIR         where install puts things (/usr/local)
## SETUP=0                 install no packages: fail and name those that are missing
## MODEL, DEVICE           bench: model files, separated by spaces (MODEL='"a b.gguf" c.gguf');
##                         what computes (reference,metal)
## FILTER=name             test: build and run only tests/name_test.c; fuzz: only that target;
##                         mutants: only those of kernels/name.metal; mutants-c: of a file or folder
## SEED, COUNT, JOBS       mutants: which (1), how many by machine (200; of C 150), how many at a time
## MAP=keep                mutants-c: trust the map of suites and lines as it is
## FUZZ_SECONDS, FUZZ_CC   fuzz: seconds for each target (60); a clang with libFuzzer (clang)
## -jN                     so many jobs at a time (as many as there are processors)
## WERROR=                 let compiler warnings pass
## V=1                     show every command

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
SETUP ?= 1
SEED ?= 1
MUTANTS_C_COUNT := $(or $(COUNT),150)
COUNT ?= 200
COVERAGE_CC ?= gcc
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang

# As many jobs as processors, unless the command line or the environment says how many. A make of ours
# within this one takes part in its jobs.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS) $(shell printf '%s' "$$MAKEFLAGS")),)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif

THIS := $(firstword $(MAKEFILE_LIST))
SYSTEM := $(shell uname -s)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))
quote = '$(subst ','\'',$(1))'

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help all setup test bench asan ubsan tsan fuzz fuzzers mutants mutants-c coverage-map rho \
        kernel-coverage lint format check-golden mac-report new-op \
        install uninstall clean packages FORCE

help: ## list targets and settings (the default)
	@printf 'Touchstone %s\n\nusage: make TARGET [SETTING=value]\n\ntargets:\n' $(VERSION)
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(THIS)
	@printf '\nsettings:\n'
	@awk '/^## / { print "  " substr($$0, 4) }' $(THIS)

# ---- sources -----------------------------------------------------------------------------------

LIB_SRC := $(wildcard $(addsuffix /*.c,base kernels reference engine/* engine/*/* bench/*))
CLI_SRC := $(wildcard tools/touchstone/*.c)
TOOL_SRC := $(patsubst %,tools/touchstone/%.c,meter options output) # what the tools share with it
MODEL_SRC := $(wildcard tools/make-model/*.c)
HOSTILE_SRC := $(wildcard tools/make-hostile/*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c) $(if $(PLAIN),tests/plain/plain.c)
TEST_SRC = $(filter-out $(if $(METAL),,tests/metal_%),$(wildcard tests/*_test.c))
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)

# The Metal device is built on macOS, and elsewhere against the software Metal device, whose fibers and
# a sanitizer's stacks do not mix: builds with a sanitizer do without.
METAL := $(if $(filter Darwin,$(SYSTEM)),1,$(if $(SANITIZE),,1))
METAL_SRC := $(if $(METAL),$(wildcard engine/device/metal/*.m))
KERNEL_SRC := $(wildcard kernels/*.metal)
MUTATE_C_SRC := $(wildcard tools/mutate/*.c tools/mutate/c/*.c)
MUTATE_SRC := $(if $(METAL),$(wildcard tools/mutate/*.c tools/mutate/kernels/*.c))
KERNEL_TEXT := $(BUILD)/kernels/source.c

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
METAL_OBJ := $(METAL_SRC:%.m=$(BUILD)/%.o) $(if $(METAL),$(KERNEL_TEXT:.c=.o))
LIB_OBJ := $(call objects,$(LIB_SRC)) $(METAL_OBJ)
CLI_OBJ := $(call objects,$(CLI_SRC))
TOOL_OBJ := $(call objects,$(TOOL_SRC))
MODEL_OBJ := $(call objects,$(MODEL_SRC))
HOSTILE_OBJ := $(call objects,$(HOSTILE_SRC))
MUTATE_OBJ := $(call objects,$(MUTATE_SRC))
MUTATE_C_OBJ := $(call objects,$(MUTATE_C_SRC))
SUPPORT_OBJ := $(call objects,$(SUPPORT_SRC))
TEST_OBJ := $(call objects,$(TEST_SRC))
FUZZ_OBJ := $(call objects,$(FUZZ_SRC))
ALL_OBJ := $(filter-out $(METAL_OBJ),$(LIB_OBJ)) $(CLI_OBJ) $(MODEL_OBJ) $(HOSTILE_OBJ) \
           $(sort $(MUTATE_OBJ) $(MUTATE_C_OBJ)) $(SUPPORT_OBJ) \
           $(TEST_OBJ) $(FUZZ_OBJ)

LIBRARY := $(BUILD)/libtouchstone.a
PROGRAMS := $(BUILD)/touchstone $(if $(MODEL_SRC),$(BUILD)/make-model) \
            $(if $(HOSTILE_SRC),$(BUILD)/make-hostile) $(if $(MUTATE_SRC),$(BUILD)/mutate) $(BUILD)/mutate-c
TESTS := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
WANTED_TESTS := $(if $(FILTER),$(FILTER:%_test=%),)
WANTED_TESTS := $(if $(WANTED_TESTS),$(WANTED_TESTS:%=$(BUILD)/tests/%_test),$(TESTS))

# The software Metal device has makefiles of its own. It is for machines without Metal; its fibers and
# a sanitizer's stacks do not mix.
ifeq ($(filter Darwin,$(SYSTEM))$(SANITIZE),)
include tools/softmetal/softmetal.mk tools/softmetal/metal/metal.mk
DEVICE_TESTS := $(SOFTMETAL_TESTS) $(SOFTMETAL_HOSTS)
WANTED_TESTS := $(if $(filter softmetal_%,$(FILTER)),$(BUILD)/tests/$(FILTER),\
                  $(WANTED_TESTS) $(if $(FILTER),,$(DEVICE_TESTS)))
$(SOFTMETAL_OBJ) $(SOFTMETAL_MAIN) $(SOFTMETAL_LINT_OBJ) $(SOFTMETAL_METAL_OBJ) \
    $(SOFTMETAL_HOST_OBJ): | packages
$(DEVICE_TESTS): | $(BUILD)/softmetal
endif

# ---- flags -------------------------------------------------------------------------------------

# Asked once, and only when a recipe needs the answer: `make help` must work without pkg-config,
# and the answer may change while tools/setup.sh runs. Headers of others are system headers, so
# that our warnings stay ours.
ask = $(shell $(PKG_CONFIG) $(1) 2>/dev/null)
isystem = $(patsubst -I%,-isystem %,$(1))
MODULES := libcjson libpcre2-8 libxxhash
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(call isystem,$(call ask,--cflags $(MODULES))) \
                   $(BREW_CFLAGS))$(PACKAGE_CFLAGS)
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $(call ask,--libs $(MODULES)))$(PACKAGE_LIBS)
ifneq ($(PLAIN),)
# Our stand-in for Criterion, which cannot run under every sanitizer.
CRITERION_CFLAGS := -isystem tests/plain
CRITERION_LIBS :=
else
CRITERION_CFLAGS = $(eval CRITERION_CFLAGS := \
                     $(call isystem,$(call ask,--cflags criterion)))$(CRITERION_CFLAGS)
CRITERION_LIBS = $(eval CRITERION_LIBS := $(call ask,--libs criterion))$(CRITERION_LIBS)
endif

# macOS: written with care, untested. A compiler that nobody tried must not stop a user's build
# with a new warning, so warnings are errors only on Linux; uthash has no pkg-config file.
ifeq ($(SYSTEM),Darwin)
SYSTEM_FLAGS := -D_DARWIN_C_SOURCE
BREW_CFLAGS = $(patsubst %,-isystem %/include,$(shell brew --prefix 2>/dev/null))
WERROR ?=
else
SYSTEM_FLAGS := -D_GNU_SOURCE
BREW_CFLAGS :=
WERROR ?= -Werror
endif

# No contraction and no fast math anywhere: error bounds are computed for the arithmetic as written.
SANITIZE_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
                    -fno-sanitize-recover=all)
ALL_CFLAGS = -std=c11 -O2 -g -Wall -Wextra -Wconversion $(WERROR) -ffp-contract=off -pthread -I. \
             $(SYSTEM_FLAGS) $(PACKAGE_CFLAGS) $(SANITIZE_FLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(SANITIZE_FLAGS) $(LDFLAGS)
ALL_LIBS = $(METAL_LIBS) $(PACKAGE_LIBS) -lm $(LDLIBS)

# What lints Metal code, where it is built.
LINT_TOOL := $(if $(filter Darwin,$(SYSTEM)),,$(BUILD)/softmetal)

ifeq ($(METAL),)
METAL_LIBS :=
else ifeq ($(SYSTEM),Darwin)
SYSTEM_FLAGS += -DTS_METAL
METAL_CC := $(CC)
METAL_FLAGS := -fno-objc-arc -fblocks
METAL_LIBS := -framework Metal -framework Foundation
else
SYSTEM_FLAGS += -DTS_METAL
METAL_CC := $(SOFTMETAL_OBJC)
# Its own memory beside buffers, in all and for each core: 17 MB measured on 2 cores, where a core has up
# to 1024 stacks.
METAL_FLAGS = $(SOFTMETAL_OBJC_FLAGS) \
    -DTS_METAL_OWN_BYTES='(14 << 20)' -DTS_METAL_CORE_BYTES='(5 << 20)'
METAL_LIBS = $(SOFTMETAL_METAL_LIBS)
endif

# ---- build -------------------------------------------------------------------------------------

all: $(PROGRAMS) $(TESTS) $(DEVICE_TESTS) ## build everything, install nothing

# These files say what was built: a new commit recompiles them and nothing else.
STAMPED_OBJ := $(patsubst %,$(BUILD)/tools/touchstone/%.o,main bench env)
$(STAMPED_OBJ): $(BUILD)/version.h
$(STAMPED_OBJ): EXTRA_CFLAGS = -include $(BUILD)/version.h
$(TEST_OBJ) $(SUPPORT_OBJ): EXTRA_CFLAGS = $(CRITERION_CFLAGS)

$(ALL_OBJ): $(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

$(METAL_SRC:%.m=$(BUILD)/%.o): $(BUILD)/%.o: %.m $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,OBJC,$<)
	$(Q)$(METAL_CC) -std=gnu11 -O2 -g -Wall -Wextra -Wconversion $(WERROR) -I. $(METAL_FLAGS) \
	    $(SYSTEM_FLAGS) -MMD -MP -c -o $@ $<

# The kernels' source as text, for Metal's compiler at run time.
$(KERNEL_TEXT): $(KERNEL_SRC) $(wildcard kernels/*.h base/*.def) tools/embed-kernels.sh
	@mkdir -p $(@D)
	$(call say,EMBED,$@)
	$(Q)tools/embed-kernels.sh $(KERNEL_SRC) > $@.$$$$ && mv -f $@.$$$$ $@

$(KERNEL_TEXT:.c=.o): $(KERNEL_TEXT) $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Written beside and moved: others may be reading the archive.
$(LIBRARY): $(LIB_OBJ) $(BUILD)/contents
	$(call say,AR,$@)
	$(Q)rm -f $@.$$$$ && $(AR) rcs $@.$$$$ $(LIB_OBJ) && mv -f $@.$$$$ $@

link = $(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY)

# Everything that holds the library holds the device that its Metal is on.
ifneq ($(and $(METAL),$(filter-out Darwin,$(SYSTEM))),)
$(PROGRAMS) $(TESTS): $(SOFTMETAL_METAL) $(BUILD)/libsoftmetal.a
$(METAL_OBJ): | packages
endif

$(BUILD)/touchstone: $(CLI_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS)

$(BUILD)/make-model: $(MODEL_OBJ) $(TOOL_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS)

$(BUILD)/mutate: $(MUTATE_OBJ) $(TOOL_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS)

$(BUILD)/mutate-c: $(MUTATE_C_OBJ) $(TOOL_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS)

$(BUILD)/make-hostile: $(HOSTILE_OBJ) $(TOOL_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS)

# With a sanitizer of the name fuzzer-no-link in SANITIZE; see `fuzz` below.
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/%-fuzzer,$(FUZZ_SRC))
fuzzers: $(FUZZERS) $(BUILD)/make-hostile

$(FUZZERS): $(BUILD)/%-fuzzer: $(BUILD)/tests/fuzz/%_fuzz.o $(filter-out %/main.o,$(HOSTILE_OBJ)) \
                               $(LIBRARY)
	$(call say,LINK,$@)
	$(link) -fsanitize=fuzzer $(ALL_LIBS)

$(TESTS): %: %.o $(SUPPORT_OBJ) $(LIBRARY)
	$(call say,LINK,$@)
	$(link) $(ALL_LIBS) $(CRITERION_LIBS)

# Stamps: rewritten only when their text changes, so that another compiler, flag or set of files
# rebuilds what it concerns, and the same ones rebuild nothing.
define stamp
	@mkdir -p $(@D)
	@$(1) > $@.$$$$ && if cmp -s $@.$$$$ $@; then rm -f $@.$$$$; else mv -f $@.$$$$ $@; fi
endef

$(BUILD)/flags: packages FORCE
	$(call stamp,printf '%s\n' $(call quote,$(CC) $(ALL_CFLAGS) $(CRITERION_CFLAGS)))

$(BUILD)/contents: FORCE
	$(call stamp,printf '%s\n' $(LIB_OBJ))

$(BUILD)/version.h: FORCE
	$(call stamp,tools/version.sh $(VERSION) $(call quote,$(CC) $(ALL_CFLAGS)))
$(BUILD)/version.h: packages

# Every object waits for this. Only the two commands for users install anything.
ifneq ($(filter setup test bench,$(MAKECMDGOALS)),)
SETUP_MODE := $(if $(filter 0,$(SETUP)),--check,--install)
else
SETUP_MODE := --check-build
endif
WANT_SOFTMETAL := $(METAL)
packages:
	@CC=$(call quote,$(CC)) PKG_CONFIG=$(call quote,$(PKG_CONFIG)) SOFTMETAL=$(WANT_SOFTMETAL) \
	    tools/setup.sh $(SETUP_MODE)

FORCE:

-include $(ALL_OBJ:.o=.d) $(METAL_OBJ:.o=.d)

# ---- tasks -------------------------------------------------------------------------------------

setup: packages ## install the packages that are missing

test: $(PROGRAMS) $(WANTED_TESTS) ## install missing packages, build, run every test suite
	@BUILD=$(BUILD) tools/run-tests.sh $(WANTED_TESTS)

bench: $(PROGRAMS) ## install, build, sweep two synthetic models (MODEL="a.gguf b.gguf")
	@BUILD=$(BUILD) MODEL=$(call quote,$(MODEL)) DEVICE=$(call quote,$(DEVICE)) \
	    METAL=$(METAL) tools/bench.sh

# The same makefile again in a folder of its own. Warnings do not stop these builds: the
# instrumentation makes gcc warn of what is not there.
asan: ## the whole test suite under the address sanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address WERROR= test

ubsan: ## the whole test suite under the undefined behaviour sanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/ubsan SANITIZE=undefined WERROR= test

tsan: ## the whole test suite under the thread sanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread WERROR= PLAIN=1 test

fuzz: ## feed the readers with damaged input, FUZZ_SECONDS for each (docs/fuzzing.md)
	@CC=$(call quote,$(FUZZ_CC)) tools/setup.sh --fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(call quote,$(FUZZ_CC)) WERROR= \
	    SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@BUILD=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh

mutants: $(BUILD)/touchstone $(BUILD)/mutate ## mistakes in the kernels, each of which the check must find
	@$(BUILD)/mutate run --touchstone $(BUILD)/touchstone --folder $(BUILD)/mutants \
	    --explained tests/data/mutants.explained --seed $(SEED) --count $(COUNT) \
	    $(if $(FILTER),--family $(FILTER)) $(if $(JOBS),--jobs $(JOBS))

# Suites that build or mutate other things than C files have no part in it. The map is made anew for each
# suite that was built anew; MAP=keep leaves the one that is there.
MUTANT_FOLDERS := engine reference bench
MUTANT_TESTS := $(filter-out %/new_op_test %/metal_mutate_test %/mutate_c_test,$(TESTS))
MUTANT_MAP := $(BUILD)/coverage/map
mutants-c: $(PROGRAMS) $(MUTANT_TESTS) ## mistakes in the C files, each of which a suite must find
	@$(if $(filter keep,$(MAP)),:,CCACHE_DISABLE=1 $(MAKE) --no-print-directory \
	    BUILD=$(BUILD)/coverage WERROR= CC=$(COVERAGE_CC) CFLAGS='--coverage -O1' LDFLAGS=--coverage \
	    MUTATE_C=$(BUILD)/mutate-c coverage-map)
	@$(BUILD)/mutate-c run --build $(BUILD) --folder $(BUILD)/mutants-c --map $(MUTANT_MAP) \
	    --compile $(call quote,$(CC) $(filter-out -Werror,$(ALL_CFLAGS)) -w) --link $(call quote,$(CC) $(ALL_LDFLAGS)) \
	    --libraries $(call quote,$(LIBRARY) $(ALL_LIBS)) \
	    --tests $(call quote,$(SUPPORT_OBJ) $(CRITERION_LIBS)) \
	    --program $(call quote,touchstone=$(CLI_OBJ)) --program $(call quote,make-model=$(MODEL_OBJ)) \
	    --program $(call quote,make-hostile=$(HOSTILE_OBJ)) --explained tests/data/mutants-c.explained \
	    --seed $(SEED) --count $(MUTANTS_C_COUNT) $(if $(FILTER),--filter $(FILTER)) \
	    --jobs $(or $(JOBS),2) $(MUTANT_FOLDERS)

coverage-map: $(PROGRAMS) $(MUTANT_TESTS)
	@BUILD=$(BUILD) FOLDERS='$(MUTANT_FOLDERS)' tools/mutants-c-map.sh $(MUTATE_C) $(BUILD)/map \
	    $(MUTANT_TESTS)

rho: $(BUILD)/touchstone ## records how far off each kernel is, over 4 seeds, in tests/data/rho.jsonl
	@$(BUILD)/touchstone check --record tests/data/rho.jsonl

kernel-coverage: $(BUILD)/touchstone ## lines of the kernels that the check never runs (FILTER=family)
	@BUILD=$(BUILD) tools/kernel-coverage.sh $(if $(FILTER),--filter $(FILTER))

lint: $(LINT_TOOL) $(LIBRARY) $(CLI_OBJ) $(MODEL_OBJ) $(HOSTILE_OBJ) ## check the rules of the house (tools/lint.sh)
	@LIBRARY=$(LIBRARY) SOFTMETAL=$(BUILD)/softmetal tools/lint.sh

format: ## put all C files into the house style (clang-format)
	@tools/lint.sh --format

check-golden: $(BUILD)/touchstone ## check against a folder of golden data: GOLDEN=DIR [DEVICE=reference]
	@BUILD=$(BUILD) GOLDEN=$(call quote,$(GOLDEN)) DEVICE=$(call quote,$(or $(DEVICE),reference)) \
	    tools/check-golden.sh

mac-report: $(PROGRAMS) ## pack what this machine says into one file (docs/first-mac.md; QUICK=1, MODEL=FILE)
	@BUILD=$(BUILD) MODEL=$(call quote,$(MODEL)) QUICK=$(QUICK) tools/mac-report.sh

new-op: ## write a new operation into the tree, to begin with: NAME=value_norm FAMILY=norm
	@tools/new-op.sh $(call quote,$(NAME)) $(call quote,$(FAMILY))

install: $(BUILD)/touchstone ## install the program below PREFIX
	install -d $(call quote,$(DESTDIR)$(PREFIX)/bin) \
	    $(call quote,$(DESTDIR)$(PREFIX)/share/doc/touchstone)
	install -m 755 $(BUILD)/touchstone $(call quote,$(DESTDIR)$(PREFIX)/bin/touchstone)
	install -m 644 LICENSE NOTICE $(call quote,$(DESTDIR)$(PREFIX)/share/doc/touchstone)

uninstall: ## remove what install put there
	rm -f $(call quote,$(DESTDIR)$(PREFIX)/bin/touchstone)
	rm -rf $(call quote,$(DESTDIR)$(PREFIX)/share/doc/touchstone)

clean: ## remove everything that was built
	rm -rf $(BUILD)
