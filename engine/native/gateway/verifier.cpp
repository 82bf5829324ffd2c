// See verifier.h.
#include "gateway/verifier.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/files.h"
#include "base/sshsig.h"

namespace hft::gateway {
namespace {

constexpr std::int64_t kPatienceNs = 5'000'000'000;
constexpr int kHelperPatienceMs = 4'000;
constexpr std::size_t kWaitingMax = 128;

bool holds(const base::Signed& claim) {
  const auto text = base::read_file(claim.signers);
  if (!text) return false;
  const base::AllowedSigners signers(*text);
  if (signers.is_signed(claim.principal, claim.space, claim.payload, claim.signature)) return true;
  return !signers.is_whole() && base::is_signed(claim, kHelperPatienceMs);
}

}  // namespace

Verifier::Verifier(Loop& loop) : loop_(loop), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  loop_.add(wake_.get(), EPOLLIN, *this);
}

Verifier::~Verifier() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  comes_.notify_one();
  thread_.join();
}

void Verifier::check(base::Signed claim, Answer then) {
  const auto number = ++last_number_;
  const auto now = static_cast<std::int64_t>(base::monotonic_ns());
  const bool is_full = waiting_.size() >= kWaitingMax;
  waiting_[number] = {std::move(then), is_full ? now : now + kPatienceNs};  // answered by the next tick
  if (is_full) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({number, std::move(claim)});
  }
  comes_.notify_one();
}

void Verifier::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    comes_.wait(lock, [this] { return is_stopped_ || !jobs_.empty(); });
    if (is_stopped_) return;
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const bool is_good = holds(job.claim);
    lock.lock();
    checked_.emplace_back(job.number, is_good);
    const std::uint64_t one = 1;
    if (::write(wake_.get(), &one, sizeof one) < 0) continue;  // the tick looks, too
  }
}

void Verifier::on_events(std::uint32_t) {
  std::uint64_t count = 0;
  if (::read(wake_.get(), &count, sizeof count) < 0) return;
  std::vector<std::pair<std::uint64_t, bool>> checked;
  {
    const std::lock_guard lock(mutex_);
    checked.swap(checked_);
  }
  for (const auto& [number, is_good] : checked) answer(number, is_good ? Verdict::good : Verdict::bad);
}

void Verifier::tick(std::int64_t now_ns) {
  std::vector<std::uint64_t> late;
  for (const auto& [number, waiting] : waiting_)
    if (now_ns >= waiting.deadline_ns) late.push_back(number);
  for (const auto number : late) {
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(jobs_, [&](const Job& job) { return job.number == number; });
    }
    answer(number, Verdict::late);
  }
}

void Verifier::answer(std::uint64_t number, Verdict verdict) {
  auto node = waiting_.extract(number);
  if (!node.empty()) node.mapped().answer(verdict);
}

}  // namespace hft::gateway
