#include "io/manifest.hpp"

#include <charconv>
#include <sstream>

#include "io/crc32c.hpp"
#include "io/together.hpp"

namespace partita {
namespace {
constexpr char title[] = "partita manifest 1";
constexpr char closing[] = "manifest_crc32c ";

std::string hexadecimal(std::uint32_t c) { return fmt::format("{:08x}", c); }
}  // namespace

std::string Manifest::text() const {
  std::string body = fmt::format("{}\nbytes {}\nstep {}\ndeck_hash {}\ncode_version {}\nstripe_bytes {}\n", title, bytes, step, deck_hash,
                                 code_version, stripe_bytes);
  for (std::uint32_t c : stripes) body += "crc32c " + hexadecimal(c) + "\n";
  return body + closing + hexadecimal(crc32c(body.data(), body.size())) + "\n";
}

Manifest Manifest::parse(std::string const& text, Path const& from) {
  std::size_t const end = text.rfind(closing);
  bool const whole =
      text.starts_with(title) && end != std::string::npos && text.substr(end) == closing + hexadecimal(crc32c(text.data(), end)) + "\n";
  require(whole, ExitCode::data, "{} is damaged (its own checksum does not match)", from.string());
  Manifest m;
  std::istringstream lines(text.substr(0, end));
  auto const number = [&](std::string const& digits, int base) {
    std::uint64_t n = 0;
    auto const [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
    require(error == std::errc{} && last == digits.data() + digits.size(), ExitCode::data, "{} is damaged ('{}' is not a number)",
            from.string(), digits);
    return n;
  };
  for (std::string line; std::getline(lines, line);) {
    std::size_t const space = line.find(' ');
    std::string const key = line.substr(0, space), value = space == std::string::npos ? "" : line.substr(space + 1);
    if (key == "bytes") m.bytes = number(value, 10);
    else if (key == "step") m.step = Index(number(value, 10));
    else if (key == "deck_hash") m.deck_hash = value;
    else if (key == "code_version") m.code_version = value;
    else if (key == "crc32c") m.stripes.push_back(std::uint32_t(number(value, 16)));
    else if (key == "stripe_bytes")
      require(number(value, 10) == stripe_bytes, ExitCode::data, "{} has stripes of {} bytes (this version: {})", from.string(), value,
              stripe_bytes);
  }
  std::uint64_t const stripes = (m.bytes + stripe_bytes - 1) / stripe_bytes;
  require(m.stripes.size() == stripes, ExitCode::data, "{} is damaged ({} checksums for {} bytes, which have {})", from.string(),
          m.stripes.size(), m.bytes, stripes);
  return m;
}

Manifest make_manifest(Path const& file, Communicator const& ranks) {
  Manifest m;
  m.stripes = stripe_checksums(file, ranks);
  on_root(ranks, [&] { m.bytes = std::filesystem::file_size(file); });
  return m;
}

std::function<void(Path const&)> with_manifest(Path const& name, Communicator const& ranks, Manifest about) {
  return [name, &ranks, about](Path const& temporary) mutable {
    Manifest const measured = make_manifest(temporary, ranks);
    about.bytes = measured.bytes;
    about.stripes = measured.stripes;
    on_root(ranks, [&] { write_atomically(manifest_of(name), about.text()); });
  };
}

Manifest verify(Path const& file, Communicator const& ranks) {
  Manifest wanted;
  together(ranks, [&] {
    wanted = Manifest::parse(read_text(manifest_of(file)), manifest_of(file));
    std::error_code absent;
    auto const found = std::filesystem::file_size(file, absent);
    require(!absent, ExitCode::data, "cannot read {} ({})", file.string(), absent.message());
    require(found == wanted.bytes, ExitCode::data, "{} has {} bytes, its manifest says {}", file.string(), found, wanted.bytes);
  });
  auto const found = stripe_checksums(file, ranks);
  for (std::size_t s = 0; s < wanted.stripes.size(); s++)
    require_all(s < found.size() && found[s] == wanted.stripes[s], ExitCode::data, "{} is damaged (checksum of bytes {} to {})",
                file.string(), s * stripe_bytes, std::min(wanted.bytes, (s + 1) * stripe_bytes) - 1);
  return wanted;
}

}  // namespace partita
