// Small arrays of constants, as the compiler stores them: GCC 12.2 at -O3 with AVX-512 makes {1, 1, 1, 1} of {1, 1, 1, 0}. The arrays are
// made in functions of their own that are not inlined, and compared with values that the compiler cannot know.
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

int wrong = 0;
double volatile one = 1, zero = 0;

// `values` is to be ones but for a zero at `odd`.
template <class T>
void check(char const* name, std::vector<T> const& values, std::size_t odd) {
  for (std::size_t i = 0; i < values.size(); i++)
    if (values[i] != static_cast<T>(i == odd ? zero : one)) {
      std::printf("%s: element %zu of %zu, 0 at %zu, is %g\n", name, i, values.size(), odd, static_cast<double>(values[i]));
      wrong++;
    }
}

template <class T>
[[gnu::noinline]] std::vector<T> four_last() {
  return std::vector<T>{1, 1, 1, 0};
}
template <class T>
[[gnu::noinline]] std::vector<T> four_first() {
  return std::vector<T>{0, 1, 1, 1};
}
template <class T>
[[gnu::noinline]] std::vector<T> eight_last() {
  return std::vector<T>{1, 1, 1, 1, 1, 1, 1, 0};
}
template <class T>
[[gnu::noinline]] std::vector<T> eight_middle() {
  return std::vector<T>{1, 1, 1, 0, 1, 1, 1, 1};
}
template <class T>
[[gnu::noinline]] std::vector<T> sixteen_last() {
  return std::vector<T>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
}

template <class T>
void check_all(char const* name) {
  check(name, four_last<T>(), 3);
  check(name, four_first<T>(), 0);
  check(name, eight_last<T>(), 7);
  check(name, eight_middle<T>(), 3);
  check(name, sixteen_last<T>(), 15);
}

}  // namespace

int main() {
  check_all<double>("double");
  check_all<float>("float");
  check_all<std::int64_t>("int64");
  check_all<std::int32_t>("int32");
  check_all<std::int16_t>("int16");
  check_all<std::uint8_t>("uint8");
  return wrong != 0;
}
