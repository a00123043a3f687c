// SPDX-License-Identifier: Apache-2.0
#include "cli/team.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cli/progress.hpp"
#include "saltus/error.hpp"

#ifdef SALTUS_MPI
#include <mpi.h>

#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#endif

namespace saltus::cli {
namespace {

int number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

// How many processes a launcher says that it has started; 0: none says so.
int launched() {
  for (const char* size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    if (const int count = number_in(size); count > 0) return count;
  }
  return 0;
}

// Can they find each other? (srun alone starts processes that cannot.)
bool introduced() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_FD", "PMIX_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

// Standard output and error go nowhere; what the latter was.
int silence() {
  std::fflush(stdout);
  const int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return before;
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  close(nowhere);
  return before;
}

[[noreturn]] void cannot_meet(int processes, const char* why) {
  const int number = std::max(number_in("OMPI_COMM_WORLD_RANK"),
                              std::max(number_in("PMI_RANK"), number_in("SLURM_PROCID")));
  if (number > 0) {
    silence();
    sleep(2);  // or the launcher might end the first before it has said why
  }
  throw InvalidInput(fmt::format("{} processes were started together, but {}", processes, why));
}

}  // namespace

#ifdef SALTUS_MPI

namespace {

class MpiTeam final : public Team {
 public:
  MpiTeam() {
    int rank = 0, size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_dup(MPI_COMM_WORLD, &ends_);
    rank_ = static_cast<std::size_t>(rank);
    size_ = static_cast<std::size_t>(size);
  }
  std::size_t rank() const override { return rank_; }
  std::size_t size() const override { return size_; }

  void take(std::span<std::byte> message, int number) override {
    for (; !message.empty(); message = message.subspan(piece(message))) {
      MPI_Request request = MPI_REQUEST_NULL;
      {
        const std::lock_guard lock(mutex_);
        MPI_Irecv(message.data(), static_cast<int>(piece(message)), MPI_BYTE,
                  static_cast<int>(rank_) - 1, number, MPI_COMM_WORLD, &request);
      }
      // Where each process has a core, what is waited for comes soon.
      for (int k = 0; !done(request); ++k) {
        if (k > spins) std::this_thread::yield();
      }
    }
  }

  void hand_on(std::vector<std::byte> message, int number) override {
    if (message.empty()) return;
    const std::lock_guard lock(mutex_);
    Sent& sent = under_way_.emplace_back();
    sent.message = std::move(message);
    for (std::span<std::byte> left(sent.message); !left.empty(); left = left.subspan(piece(left))) {
      MPI_Isend(left.data(), static_cast<int>(piece(left)), MPI_BYTE, static_cast<int>(rank_) + 1,
                number, MPI_COMM_WORLD, &sent.requests.emplace_back());
    }
    count_ = under_way_.size();
  }

  void go_on() override {
    if (count_ == 0) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    std::erase_if(under_way_, [](Sent& sent) {
      int arrived = 0;
      MPI_Testall(static_cast<int>(sent.requests.size()), sent.requests.data(), &arrived,
                  MPI_STATUSES_IGNORE);
      return arrived != 0;
    });
    count_ = under_way_.size();
  }

  void from_last(std::span<std::byte> values) override {
    go_on();
    for (; !values.empty(); values = values.subspan(piece(values))) {
      MPI_Bcast(values.data(), static_cast<int>(piece(values)), MPI_BYTE,
                static_cast<int>(size_) - 1, MPI_COMM_WORLD);
    }
  }

  std::vector<double> gather(std::span<const double> own) override {
    const int count = static_cast<int>(own.size());
    std::vector<int> counts(size_), begins(size_);
    MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, MPI_COMM_WORLD);
    int all = 0;
    for (std::size_t k = 0; k < size_; ++k) {
      begins[k] = all;
      all += counts[k];
    }
    std::vector<double> values(static_cast<std::size_t>(all));
    MPI_Allgatherv(own.data(), count, MPI_DOUBLE, values.data(), counts.data(), begins.data(),
                   MPI_DOUBLE, MPI_COMM_WORLD);
    return values;
  }

  void sum(std::span<std::uint64_t> counts) override {
    MPI_Allreduce(MPI_IN_PLACE, counts.data(), static_cast<int>(counts.size()), MPI_UINT64_T,
                  MPI_SUM, MPI_COMM_WORLD);
  }

  // Do all of them come to their end in time?
  bool all_end() {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(ends_, &request);
    const auto start = std::chrono::steady_clock::now();
    while (!done(request)) {
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(2)) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

 private:
  struct Sent {
    std::vector<std::byte> message;
    std::vector<MPI_Request> requests;
  };
  static constexpr int spins = 10000;  // about a millisecond
  std::size_t rank_ = 0, size_ = 1;
  MPI_Comm ends_ = MPI_COMM_NULL;  // of those that end
  std::mutex mutex_;               // threads call one at a time
  std::list<Sent> under_way_;
  std::atomic<std::size_t> count_ = 0;  // of these

  // What one call takes: it counts in ints.
  static std::size_t piece(std::span<const std::byte> message) {
    return std::min(message.size(), std::size_t{1} << 30);
  }
  bool done(MPI_Request& request) {
    const std::lock_guard lock(mutex_);
    int arrived = 0;
    MPI_Test(&request, &arrived, MPI_STATUS_IGNORE);
    return arrived != 0;
  }
};

std::unique_ptr<MpiTeam> the_team;
int standard_error = STDERR_FILENO;

}  // namespace

Team* team() { return the_team.get(); }

void join_team() {
  const int processes = launched();
  if (processes == 1 || (processes == 0 && !introduced())) return;
  if (!introduced()) {
    cannot_meet(processes, "do not know each other; expected mpirun, or srun --mpi=pmix");
  }
  int threads = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads);
  the_team = std::make_unique<MpiTeam>();
  const bool first = the_team->is_first();
  if (the_team->size() == 1) {
    the_team.reset();
    MPI_Finalize();
    if (processes > 1) {
      cannot_meet(processes,
                  "MPI sees one; expected the mpirun of the MPI that saltus was built with");
    }
    return;
  }
  if (!first) standard_error = silence();
  if (threads < MPI_THREAD_SERIALIZED) {
    throw InvalidInput("this MPI knows no threads; expected one built with MPI_THREAD_SERIALIZED");
  }
}

int leave_team(int code) {
  if (the_team) MPI_Finalize();
  return code;
}

int leave_team(int code, const std::string& error) {
  if (!the_team || the_team->is_first()) say("saltus: {}\n", error);
  if (!the_team) return code;
  if (the_team->all_end()) return leave_team(code);
  if (!the_team->is_first()) {
    const std::string line = fmt::format("saltus: process {} of {}: {}\n", the_team->rank() + 1,
                                         the_team->size(), error);
    [[maybe_unused]] const auto written = write(standard_error, line.data(), line.size());
  }
  MPI_Abort(MPI_COMM_WORLD, code);
  return code;
}

#else

Team* team() { return nullptr; }

void join_team() {
  if (const int processes = launched(); processes > 1) {
    cannot_meet(processes,
                "this saltus was built without MPI; expected one configured with SALTUS_MPI=ON");
  }
}

int leave_team(int code) { return code; }

int leave_team(int code, const std::string& error) {
  say("saltus: {}\n", error);
  return code;
}

#endif

}  // namespace saltus::cli
