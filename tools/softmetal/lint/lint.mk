# The strict lint of Metal code: objects for build/softmetal (included by softmetal.mk).

SOFTMETAL_LINT_DIR := $(SOFTMETAL_DIR)/lint
SOFTMETAL_LINT_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard $(SOFTMETAL_LINT_DIR)/*.cpp))
SOFTMETAL_LINT_FLAGS := -std=c++17 -O2 -g -Wall -Wextra -Wconversion -Werror -pthread -I$(SOFTMETAL_DIR) $(SOFTMETAL_SANITIZE_FLAGS) \
                        -DSOFTMETAL_LINT_HEADERS='"$(abspath $(SOFTMETAL_LINT_DIR))/include"'

$(SOFTMETAL_LINT_OBJ): $(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' CXX $<
	@$(SOFTMETAL_CXX) $(SOFTMETAL_LINT_FLAGS) $(SOFTMETAL_CXXFLAGS) -MMD -MP -c -o $@ $<

-include $(SOFTMETAL_LINT_OBJ:.o=.d)
