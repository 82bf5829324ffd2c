// The benchmark's input: a generated stream cut into chunks of datagrams, each made just before it is timed, so
// that no message is used twice and the whole never has to fit into memory.
#pragma once

#include <vector>

#include "book/generator.h"
#include "book/reference_book.h"
#include "wire/mold.h"

namespace hft::bench {

// One order operation, decoded: what "book alone" is fed with.
struct Operation {
  std::uint64_t reference = 0;
  book::Order order;  // of an add or a replace; `shares` of a reduction
  char type = 0;
};

struct Chunk {
  std::vector<std::uint8_t> bytes;
  std::vector<mold::Packet> packets;
  std::vector<Operation> operations;
  std::uint64_t messages = 0;
};

inline Operation decoded(Bytes message) {
  Operation operation;
  operation.type = static_cast<char>(message[0]);
  if (!itch::names_an_order(operation.type)) return operation;
  operation.reference = itch::order_reference.load(message.data());
  operation.order.locate = itch::locate.load(message.data());
  itch::visit(message, [&]<class Message>(View<Message> view) {
    if constexpr (requires { Message::new_reference; }) {
      operation.order.reference = view[Message::new_reference];
      operation.order.shares = view[Message::shares];
      operation.order.price = view[Message::price];
    } else if constexpr (std::is_same_v<Message, itch::AddOrder> || std::is_same_v<Message, itch::AddOrderMpid>) {
      operation.order.reference = operation.reference;
      operation.order.shares = view[itch::AddOrder::shares];
      operation.order.price = view[itch::AddOrder::price];
      operation.order.side = view[itch::AddOrder::side] == itch::kBuy ? book::Side::bid : book::Side::ask;
    } else if constexpr (!std::is_same_v<Message, itch::OrderDelete>) {
      operation.order.shares = itch::OrderExecuted::shares.load(message.data());
    }
  });
  return operation;
}

class Stream {
 public:
  Stream(const book::StreamPlan& plan, std::size_t datagram_bytes)
      : generator_(plan), datagram_bytes_(datagram_bytes) {}

  // The next `messages` messages; the reference book, untimed, follows along.
  Chunk next(std::uint64_t messages) {
    Chunk chunk;
    chunk.messages = messages;
    chunk.operations.reserve(messages);
    const std::size_t datagrams_max = messages / (datagram_bytes_ / 64) + 2;
    chunk.bytes.resize(datagrams_max * datagram_bytes_);
    std::array<std::uint8_t, itch::kMessageBytesMax> memory;
    std::size_t used = 0;
    mold::Builder builder = open(chunk, used);
    for (std::uint64_t left = messages; left > 0; --left) {
      const Bytes message = generator_.next(memory);
      reference_.apply(message);
      ++mix_[message[0]];
      chunk.operations.push_back(decoded(message));
      if (builder.add(message)) continue;
      close(chunk, builder, used);
      builder = open(chunk, used);
      builder.add(message);
    }
    close(chunk, builder, used);
    return chunk;
  }

  const book::ReferenceBook& reference() const { return reference_; }
  std::uint64_t count(char type) const { return mix_[static_cast<std::uint8_t>(type)]; }
  void forget_mix() { mix_ = {}; }

 private:
  mold::Builder open(Chunk& chunk, std::size_t used) {
    return {MutableBytes(chunk.bytes).subspan(used, datagram_bytes_), mold::make_session("BENCH"), sequence_};
  }

  void close(Chunk& chunk, const mold::Builder& builder, std::size_t& used) {
    chunk.packets.push_back(mold::parse(builder.datagram()));
    sequence_ += builder.messages();
    used += builder.datagram().size();
  }

  book::Generator generator_;
  std::size_t datagram_bytes_;
  book::ReferenceBook reference_;
  std::uint64_t sequence_ = 1;
  std::array<std::uint64_t, 256> mix_{};
};

}  // namespace hft::bench
