/* SPDX-License-Identifier: BSD-3-Clause */
/* sketch: both ends know a key, and cover what they say with it.  README.md draws the wire. */
#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <span>

#include <sodium.h>
#include <ptah/host.h>

namespace {

constexpr size_t secret_len = 16, salt_len = 16, mark_len = 16, head_len = salt_len + mark_len + 1, padding_most = 255;
using Bytes = std::span<const uint8_t>;

struct Args {
	ptah_span key;
};

/* One direction.  It begins with a salt; the mark shows the peer that we know the secret. */
class Cover {
public:
	Cover() = default;
	Cover(Bytes secret, const uint8_t *salt)
	{
		std::array<uint8_t, 32 + mark_len> both;

		(void)crypto_generichash(both.data(), both.size(), salt, salt_len, secret.data(), secret.size());
		std::copy_n(both.begin(), key_.size(), key_.begin());
		std::copy_n(both.begin() + key_.size(), mark.size(), mark.begin());
	}

	/* Cover the next bytes, or uncover them: it is the same. */
	void apply(uint8_t *to, Bytes from)
	{
		static constexpr std::array<uint8_t, 64> zeros{};

		for (uint8_t byte : from) {
			if (at_ % block_.size() == 0)
				(void)crypto_stream_chacha20_xor_ic(block_.data(), zeros.data(), block_.size(), zeros.data(),
				    at_ / block_.size(), key_.data());
			*to++ = byte ^ block_[at_++ % block_.size()];
		}
	}

	std::array<uint8_t, mark_len> mark;

private:
	std::array<uint8_t, 32> key_;
	std::array<uint8_t, 64> block_;
	uint64_t at_ = 0;
};

/* No exception may leave a hook: the host is C. */
class Link {
public:
	explicit Link(const ptah_open &open) : host_(open.host), self_(open.self), role_(open.role)
	{
		std::copy_n(static_cast<const Args *>(open.args)->key.at, secret_.size(), secret_.begin());
	}
	~Link() { sodium_memzero(secret_.data(), secret_.size()); }

	int open(ptah_io &io) noexcept
	{
		if (role_ == PTAH_CLIENT)
			say_hello(io);
		io.wire.want = head_len;
		io.plain.want = PTAH_NEVER;
		return sodium_init() < 0 ? -EIO : PTAH_GO;
	}

	int wrap(ptah_io &io) noexcept { return carry(to_wire_, io.plain, io.wire); }
	int unwrap(ptah_io &io) noexcept { return open_ ? carry(from_wire_, io.wire, io.plain) : hear_hello(io); }

private:
	static int carry(Cover &cover, ptah_side &from, ptah_side &to) noexcept
	{
		from.eaten = to.made = std::min(from.in.len, to.out.len);
		cover.apply(to.out.at, Bytes(from.in.at, from.eaten));
		return PTAH_GO;
	}

	void say_hello(ptah_io &io) noexcept
	{
		uint8_t *at = io.wire.out.at;

		host_->random(self_, at, head_len + padding_most);
		to_wire_ = Cover(secret_, at);
		std::copy(to_wire_.mark.begin(), to_wire_.mark.end(), at + salt_len);
		io.wire.made = head_len + at[head_len - 1]; /* there: how much padding there is */
		to_wire_.apply(at + head_len - 1, Bytes(at + head_len - 1, at + io.wire.made));
	}

	/* Nothing of the peer's hello is eaten until all of it is here. */
	int hear_hello(ptah_io &io) noexcept
	{
		const uint8_t *at = io.wire.in.at;
		std::array<uint8_t, 1 + padding_most> padding;

		if (io.wire.in.len < io.wire.want || io.wire.out.len == 0)
			return io.wire.ended ? -ECONNRESET : PTAH_GO;
		from_wire_ = Cover(secret_, at);
		if (sodium_memcmp(from_wire_.mark.data(), at + salt_len, mark_len) != 0) {
			io.reason = "the peer does not know the key";
			return role_ == PTAH_SERVER ? PTAH_REJECT : -EBADMSG;
		}
		from_wire_.apply(padding.data(), Bytes(at + head_len - 1, 1));
		io.wire.want = head_len + padding[0];
		if (io.wire.in.len < io.wire.want)
			return io.wire.ended ? -ECONNRESET : PTAH_GO;
		from_wire_.apply(padding.data() + 1, Bytes(at + head_len, padding[0]));
		if (role_ == PTAH_SERVER)
			say_hello(io);
		io.wire.eaten = io.wire.want;
		io.wire.want = io.plain.want = 0;
		open_ = true;
		return PTAH_OPEN;
	}

	const ptah_host *host_;
	ptah_self *self_;
	uint32_t role_;
	bool open_ = false;
	std::array<uint8_t, secret_len> secret_;
	Cover to_wire_, from_wire_;
};

/* The host owns the memory of a link, and wipes it; we live in it. */
int
sketch_open(void *link, const ptah_open *open, ptah_io *io)
{
	return (new (link) Link(*open))->open(*io);
}

int
sketch_wrap(void *link, ptah_io *io)
{
	return static_cast<Link *>(link)->wrap(*io);
}

int
sketch_unwrap(void *link, ptah_io *io)
{
	return static_cast<Link *>(link)->unwrap(*io);
}

void
sketch_close(void *link, int)
{
	static_cast<Link *>(link)->~Link();
}

const ptah_option options[] = {
	{ .name = "key", .aliases = nullptr, .type = PTAH_HEX, .flags = PTAH_LINK | PTAH_REQUIRED | PTAH_SECRET,
	    .offset = offsetof(Args, key), .min = secret_len, .max = secret_len, .words = nullptr, .def = nullptr,
	    .help = "16 bytes that both ends know, in hex" },
	{},
};

constexpr ptah_module
describe()
{
	ptah_module module = {};

	module.head = PTAH_HEAD(0);
	module.name = "sketch";
	module.version = "1";
	module.summary = "a beginning: covers each byte with a key that both ends know";
	module.example = "{\"server\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}, "
	    "\"client\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}}";
	module.abilities = PTAH_CAN_CLIENT | PTAH_CAN_SERVER | PTAH_CAN_STREAM | PTAH_CAN_HALF_CLOSE;
	module.options = options;
	module.args_size = sizeof(Args);
	module.link_size = sizeof(Link);
	module.unit = head_len + padding_most;
	module.open = sketch_open;
	module.wrap = sketch_wrap;
	module.unwrap = sketch_unwrap;
	module.close = sketch_close;
	return module;
}

} // namespace

PTAH_MODULE(sketch) = describe();
