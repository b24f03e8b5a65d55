// The file of the counters: one JSON object a line.
#pragma once

#include <memory>
#include <mutex>
#include <string>

namespace softmetal
{

class counter;

class count_file
{
  public:
    // `%p` in the path becomes the process's number. Begins the file anew, unless this process wrote
    // to it before. Null: the error says why.
    static std::unique_ptr<count_file> open(const std::string &path, std::string &error);
    ~count_file();
    bool write(const std::string &lines, std::string &error);

  private:
    std::string path;
    int descriptor = -1;
    std::mutex lock;
};

// Counters that write when the process ends, if nobody has closed their device.
void write_at_exit(counter *c);
void forget_at_exit(counter *c);
void write_all_counters();

} // namespace softmetal
