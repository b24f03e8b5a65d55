# The strict lint of Metal code. Include it from another Makefile or run it alone, from the root of
# the tree: make -f tools/softmetal/lint/lint.mk [softmetal-lint]
#
# SOFTMETAL_LINT_OBJ is what a program needs to call softmetal_lint(), beside src/process.o.

BUILD ?= build
SOFTMETAL_CXX ?= clang++-19
SOFTMETAL_DIR ?= tools/softmetal

SOFTMETAL_LINT_DIR := $(SOFTMETAL_DIR)/lint
SOFTMETAL_LINT_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,\
                        $(filter-out %/main.cpp,$(wildcard $(SOFTMETAL_LINT_DIR)/*.cpp)))
SOFTMETAL_LINT_MAIN := $(BUILD)/$(SOFTMETAL_LINT_DIR)/main.o
SOFTMETAL_LINT_PROCESS := $(BUILD)/$(SOFTMETAL_LINT_DIR)/process.o
SOFTMETAL_LINT_FLAGS := -std=c++17 -O2 -g -Wall -Wextra -Wconversion -Werror -pthread \
                        -DSOFTMETAL_LINT_HEADERS='"$(abspath $(SOFTMETAL_LINT_DIR))/include"'

.PHONY: softmetal-lint

softmetal-lint: $(BUILD)/softmetal-lint

$(SOFTMETAL_LINT_OBJ) $(SOFTMETAL_LINT_MAIN): $(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' CXX $<
	@$(SOFTMETAL_CXX) $(SOFTMETAL_LINT_FLAGS) $(SOFTMETAL_CXXFLAGS) -MMD -MP -c -o $@ $<

$(SOFTMETAL_LINT_PROCESS): $(SOFTMETAL_DIR)/src/process.cpp
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' CXX $<
	@$(SOFTMETAL_CXX) $(SOFTMETAL_LINT_FLAGS) $(SOFTMETAL_CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/softmetal-lint: $(SOFTMETAL_LINT_MAIN) $(SOFTMETAL_LINT_OBJ) $(SOFTMETAL_LINT_PROCESS)
	@printf '  %-7s %s\n' LINK $@
	@$(SOFTMETAL_CXX) $(SOFTMETAL_CXXFLAGS) -o $@ $^ -pthread -lstdc++

-include $(SOFTMETAL_LINT_OBJ:.o=.d) $(SOFTMETAL_LINT_MAIN:.o=.d) $(SOFTMETAL_LINT_PROCESS:.o=.d)
