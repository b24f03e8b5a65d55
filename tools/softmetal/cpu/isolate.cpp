// One failing kernel must not fail the rest: errors are traced to the kernels they belong to, these
// are left out, and the rest is tried again. Errors that are no kernel's own are the file's.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "cpu/compiler.h"
#include "front/process.h"

namespace softmetal
{

namespace
{

// `file:line:column: kind: message`
bool split_diagnostic(const std::string &line, const char *kind, diagnostic &d)
{
    std::string mark = std::string(": ") + kind + ": ";
    size_t at = line.find(mark);
    if (at == std::string::npos) {
        return false;
    }
    d.message = line.substr(at + mark.size());
    size_t column = line.rfind(':', at - 1);
    size_t number = column == std::string::npos ? column : line.rfind(':', column - 1);
    if (number == std::string::npos) {
        return false;
    }
    d.file = line.substr(0, number);
    d.line = std::atoi(line.c_str() + number + 1);
    return true;
}

} // namespace

std::vector<diagnostic> read_diagnostics(const std::string &text)
{
    std::vector<diagnostic> list;
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        std::string line = text.substr(at, end == std::string::npos ? end : end - at);
        at = end == std::string::npos ? text.size() : end + 1;
        diagnostic d;
        if (split_diagnostic(line, "fatal error", d) || split_diagnostic(line, "error", d)) {
            list.push_back(d);
        } else if (!list.empty() && split_diagnostic(line, "note", d)) {
            list.back().notes.push_back({d.file, d.line});
        }
    }
    return list;
}

namespace
{

// Whether `file` is the pseudo-file of code that registers a kernel, and of which item.
bool is_item(const unit &u, const std::string &file, size_t &index)
{
    if (file.compare(0, std::strlen(item_file), item_file) != 0) {
        return false;
    }
    index = std::strtoul(file.c_str() + std::strlen(item_file), nullptr, 10);
    return index < u.items.size();
}

struct isolation {
    isolation(const toolchain &tools, const unit &u, compile_result &result)
        : tools(tools), u(u), result(result)
    {
        for (const kernel_record &k : u.kernels) {
            result.kernels.push_back({k, ""});
        }
    }

    // Whether anything is left to compile, and compiled.
    bool run(const std::string &object)
    {
        if (result.kernels.empty()) {
            return judge_rest(object);
        }
        run_result r = build_unit(tools, u, out, object);
        for (int round = 0; r.status != 0 && left() > 0; round++) {
            std::vector<diagnostic> errors = read_diagnostics(r.err);
            if (errors.empty()) { // not the kernels' fault, and not to be remembered
                result.error = r.err.empty() ? "the compiler was stopped" : r.err;
                return false;
            }
            if (round == max_rounds) {
                check_each(object);
            } else if (!blame_all(errors) || round > 2 * max_rounds) {
                fail_all(message_of(errors[0]));
            }
            r = check_unit(tools, u, out, object);
            if (r.status == 0 && left() > 0) {
                r = build_unit(tools, u, out, object);
            }
        }
        return r.status == 0 && left() > 0;
    }

  private:
    const toolchain &tools;
    const unit &u;
    compile_result &result;
    omission out;
    std::set<size_t> in_this_round; // whose bodies were left out for errors told together
    std::map<std::string, std::string> reasons; // why a function was left out, by name
    static constexpr int max_rounds = 6;

    size_t left() const
    {
        size_t n = 0;
        for (const kernel_result &k : result.kernels) {
            n += k.error.empty();
        }
        return n;
    }

    // A source without kernels may be broken all the same.
    bool judge_rest(const std::string &object)
    {
        run_result r = check_unit(tools, u, out, object);
        std::vector<diagnostic> errors = read_diagnostics(r.err);
        if (r.status != 0 && errors.empty()) {
            result.error = r.err.empty() ? "the compiler was stopped" : r.err;
        }
        for (const diagnostic &d : errors) {
            file_error(message_of(d));
        }
        return false;
    }

    void file_error(const std::string &message)
    {
        std::vector<std::string> &all = result.errors;
        if (std::find(all.begin(), all.end(), message) == all.end()) {
            all.push_back(message);
        }
    }

    // clang tells an error inside a template once, whoever else uses it: when telling goes on for
    // too long, every kernel is tried alone.
    void check_each(const std::string &object)
    {
        std::vector<size_t> waiting;
        for (size_t i = 0; i < result.kernels.size(); i++) {
            if (result.kernels[i].error.empty()) {
                waiting.push_back(i);
            }
        }
        std::vector<std::string> errors(result.kernels.size());
        std::atomic<size_t> next{0};
        std::vector<std::thread> threads;
        for (size_t t = 0; t < processors(); t++) {
            threads.emplace_back([&] {
                for (size_t i; (i = next++) < waiting.size();) {
                    std::set<size_t> only = {result.kernels[waiting[i]].kernel.item};
                    run_result r = check_unit(tools, u, without_others(u, out, only), object);
                    std::vector<diagnostic> d = read_diagnostics(r.err);
                    if (r.status != 0) {
                        errors[waiting[i]] = d.empty() ? r.err + " " : message_of(d[0]);
                    }
                }
            });
        }
        for (std::thread &t : threads) {
            t.join();
        }
        for (size_t i : waiting) {
            if (!errors[i].empty()) {
                drop(result.kernels[i].kernel.item, errors[i]);
            }
        }
    }

    // Why the first name in the message that was left out was: an error about it is no other one.
    const std::string *reason_of(const diagnostic &d) const
    {
        for (size_t at = d.message.find('\''); at != std::string::npos;) {
            size_t end = d.message.find('\'', at + 1);
            auto why = reasons.find(d.message.substr(at + 1, end - at - 1));
            if (why != reasons.end()) {
                return &why->second;
            }
            at = end == std::string::npos ? end : d.message.find('\'', end + 1);
        }
        return nullptr;
    }

    std::string message_of(const diagnostic &d) const
    {
        const std::string *reason = reason_of(d);
        return reason ? *reason : position(d.file, d.line) + ": " + d.message;
    }

    // A place in the code that registers a kernel is that kernel's own place.
    std::string position(const std::string &file, int line) const
    {
        size_t index;
        if (is_item(u, file, index)) {
            return where(u, u.items[index].begin);
        }
        return file + ":" + std::to_string(line);
    }

    bool covers(const item &it, const std::string &file, int line) const
    {
        const token &first = u.code.tok(it.begin), &last = u.code.tok(it.end - 1);
        return first.file >= 0 && u.code.file_of(first) == file && first.line <= line &&
               line <= last.line;
    }

    void fail_all(const std::string &message)
    {
        file_error(message);
        for (kernel_result &k : result.kernels) {
            k.error = k.error.empty() ? message : k.error;
        }
    }

    void drop(size_t index, const std::string &message)
    {
        if (!out.items.insert(index).second) {
            return;
        }
        const item &it = u.items[index];
        reasons.emplace(it.name, message);
        for (kernel_result &k : result.kernels) {
            bool made_of = u.items[k.kernel.item].made_of == index;
            if (k.kernel.item == index || made_of) {
                k.error = k.error.empty() ? message : k.error;
                out.items.insert(k.kernel.item);
            }
        }
    }

    // Leaves out what is no kernel: of a function the body first, then all of it, with declarations
    // of its name, which would promise it to the linker.
    void drop_other(size_t index, const diagnostic &d, const std::string &message)
    {
        const item &it = u.items[index];
        bool in_body = it.kind == item::function && d.line >= u.code.tok(it.body).line;
        bool deleted = out.bodies.count(index) != 0, now = in_this_round.count(index) != 0;
        if (!reason_of(d) && (now || !deleted)) {
            file_error(message);
        }
        if (in_body && (now || !deleted)) {
            out.bodies.insert(index);
            in_this_round.insert(index);
            reasons.emplace(it.name, message);
            return;
        }
        out.bodies.erase(index);
        drop(index, message);
        for (size_t i = 0; it.kind == item::function && i < u.items.size(); i++) {
            const item &other = u.items[i];
            if (other.kind == item::other && other.name == it.name && other.scope == it.scope) {
                drop(i, message);
            }
        }
    }

    // Whether anything could be left out for these errors.
    bool blame_all(const std::vector<diagnostic> &errors)
    {
        size_t before = 2 * out.items.size() + out.bodies.size();
        in_this_round.clear();
        std::set<std::string> told; // the parts of a file tell an error of its own each
        for (const diagnostic &d : errors) {
            bool again = !told.insert(d.file + ":" + std::to_string(d.line) + d.message).second;
            blame(d, again);
        }
        return 2 * out.items.size() + out.bodies.size() > before;
    }

    void blame(const diagnostic &d, bool again)
    {
        std::string message = message_of(d);
        std::vector<diagnostic::place> places = d.notes;
        places.insert(places.begin(), {d.file, d.line});
        bool found = false;
        for (const diagnostic::place &p : places) {
            size_t index;
            if (is_item(u, p.file, index)) {
                drop(index, message);
                found = true;
            }
        }
        for (size_t i = 0; found && i < u.items.size(); i++) {
            // Once a template has failed for a type, further uses are told as "no matching function".
            if (u.items[i].kind == item::function && covers(u.items[i], d.file, d.line)) {
                reasons.emplace(u.items[i].name, message);
            }
        }
        for (size_t i = 0; !found && !again && i < u.items.size(); i++) {
            if (covers(u.items[i], d.file, d.line) && !out.items.count(i)) {
                bool other = u.items[i].kind == item::function || u.items[i].kind == item::other;
                other ? drop_other(i, d, message) : drop(i, message);
                found = true;
            }
        }
        if (!found && !again && !reason_of(d)) {
            file_error(message);
        }
    }
};

} // namespace

void compile_unit(const toolchain &tools, const unit &u, const std::string &object,
                  compile_result &result)
{
    if (isolation(tools, u, result).run(object)) {
        result.object = object;
    }
}

} // namespace softmetal
