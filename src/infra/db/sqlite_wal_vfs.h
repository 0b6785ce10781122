// A VFS that stands on another and writes a commit to the write-ahead log in one piece. SQLite hands over each page
// with two writes, and a commit has dozens of pages: the kernel's part of that was a fifth of the lane's work.
#pragma once
#include <sqlite3.h>

#include <string>

namespace myelin::db {

// Consecutive writes to a WAL are collected until anything else is asked of the file: a sync, with which every commit
// ends (synchronous=FULL), or a read. What a collected write would have failed with, that call fails with, and what was
// collected is gone, as after a failed write. All other files are the lower VFS's own. Thread: any; a file's is its
// connection's.
class SqliteWalVfs {
 public:
  // Registers itself. `lower`: the name of a registered VFS, "" = SQLite's default.
  explicit SqliteWalVfs(const std::string& lower);
  ~SqliteWalVfs();  // after every connection on it is closed
  SqliteWalVfs(const SqliteWalVfs&) = delete;
  const std::string& name() const { return name_; }

 private:
  struct Registered : sqlite3_vfs {
    sqlite3_vfs* lower;
  };
  static int open(sqlite3_vfs*, const char* path, sqlite3_file*, int flags, int* out_flags);

  std::string name_;
  Registered self_{};
};

}  // namespace myelin::db
