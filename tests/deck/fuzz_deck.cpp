// Fuzzes the deck reader: whatever the text, it is read or refused with Failure(usage), and what was read reads again from its resolved
// form. As a program it mutates a small corpus, deterministically: fuzz_deck [mutations] [seed]. With clang 16 or newer it is also a
// libFuzzer target: compile with -fsanitize=fuzzer -DPARTITA_LIBFUZZER.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>

#include "catalogue.hpp"
#include "core/require.hpp"

namespace partita::deck {
namespace {

// An override may follow the deck after this line.
constexpr char before_override[] = "\n#--set ";

void check(bool holds, char const* what, std::string const& text) {
  if (holds) return;
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

// True where the deck is a good one.
bool try_deck(std::string const& text) {
  std::size_t const at = text.find(before_override);
  std::vector<std::string> overrides;
  if (at != text.npos) overrides.push_back(text.substr(at + sizeof before_override - 1));
  try {
    Document const first = read(text.substr(0, at), "fuzz.toml", test_catalogue(), overrides);
    std::string const written = resolved(first);
    check(resolved(read(written, "resolved.toml", test_catalogue())) == written, "the resolved deck reads otherwise", text);
    return true;
  } catch (Failure const& f) {
    check(f.code() == ExitCode::usage && f.where() == FailedOn::all_ranks, "a failure of another kind", text);
    check(std::string_view(f.what()).find("the deck") != std::string_view::npos, "problems are not counted", text);
  } catch (std::exception const& e) {
    check(false, e.what(), text);
  }
  return false;
}

}  // namespace
}  // namespace partita::deck

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  partita::deck::try_deck(std::string(reinterpret_cast<char const*>(data), size));
  return 0;
}

#ifndef PARTITA_LIBFUZZER
namespace partita::deck {
namespace {

using Generator = std::mt19937_64;  // its words, unlike the standard distributions, are the same everywhere

std::size_t below(std::size_t n, Generator& random) { return n == 0 ? 0 : random() % n; }

std::string const& any_of(std::vector<std::string> const& items, Generator& random) { return items[below(items.size(), random)]; }

std::vector<std::string> const corpus = {
    good_deck,
    "[run]\ntask = 'train'\nreproducible = true\nwalltime = \"1.5h\"\n[model]\ntype = 'mlp'\nlayers = [2, 128, 1]\nnames = [\"a\", "
    "'b']\n[train]\nlearning_rate = 1e-3\n",
    "run = {task = \"estimate\", seed = 0x7fffffffffffffff}\nmodel.type = 'gaussian'\nmodel.box = [-1, +1e0]\n",
    "\xEF\xBB\xBF[run]\r\ntask = \"\"\"sample\"\"\"\r\noutput = '''a\nb'''\r\n[sampler]\ntype = \"hmc\"\nstep_size = 5e-1 # "
    "\xC3\xA9\nsteps = 1_000\n[model]\ntype = \"gaussian\"",
    std::string(good_deck) + before_override + "sampler.step_size=0.2",
    std::string(good_deck) + before_override + "estimator.1.points=7",
};

// clang-format off
std::vector<std::string> const tokens = {
    "=", ".", "[", "]", "[[", "]]", "{", "}", ",", "\"", "'", "\"\"\"", "'''", "\\", "\\u0000", "\\U0010FFFF", "#", "\n", "\r\n", "\r",
    "\t", " ", "_", "-", "+", "nan", "-inf", "true", "1e999", "9223372036854775808", "-9223372036854775808", "0x", "0b1",
    "1979-05-27T07:32:00Z", "07:32:00", "1d-3", ".5", "010", "\xFF", "\xC3", "\xE2\x82\xAC", "\xED\xA0\x80", "\x7f", "type = ", "task = ",
    "[sampler]", "[[estimator]]", "step_size", "eta = ", "a.b.c.d", "[[[[[[[[", "{a={a={a=", ".a.a.a.a.a.a.a.a", before_override};
// clang-format on

std::string mutated(std::string text, Generator& random) {
  for (std::size_t changes = 1 + below(3, random); changes > 0; changes--) {
    std::size_t const at = below(text.size() + 1, random), length = below(std::min<std::size_t>(text.size() - at, 12) + 1, random);
    std::size_t const line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1, line_length = std::min(text.find('\n', at), text.size()) - line;
    switch (below(8, random)) {
      case 0:
        text.insert(at, any_of(tokens, random));
        break;
      case 1:
        text.replace(at, length, any_of(tokens, random));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, 1, static_cast<char>(random()));
        break;
      case 4:
        text.erase(line, line_length);
        break;
      case 5:
        text.insert(line, text.substr(line, line_length) + "\n");
        break;
      case 6: {
        std::string const& other = any_of(corpus, random);
        text = text.substr(0, at) + other.substr(below(other.size(), random));
        break;
      }
      default: {
        std::string const& token = any_of(tokens, random);
        for (std::size_t copies = below(300, random); copies > 0; copies--) text.insert(at, token);
      }
    }
  }
  return text;
}

}  // namespace
}  // namespace partita::deck

int main(int argc, char** argv) {
  using namespace partita::deck;
  std::size_t const mutations = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 200000;
  Generator random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  std::size_t good = 0;
  for (std::string const& text : corpus) check(try_deck(text), "a deck of the corpus is refused", text);
  for (std::size_t i = 0; i < mutations; i++) good += try_deck(mutated(any_of(corpus, random), random));
  std::printf("%zu mutated decks, %zu of them good\n", mutations, good);
  return 0;
}
#endif
