#include <gtest/gtest.h>

#include "core/printable.hpp"

using namespace partita;

TEST(Printable, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(printable("x\x1b[2J\nerror: rank 3 died\r\t\x7f"), "x\\x1b[2J\\nerror: rank 3 died\\x0d\\x09\\x7f");
  EXPECT_EQ(printable("one\ntwo", Lines::several), "one\ntwo");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b2J");  // the same control sequence in one character
}

TEST(Printable, TextInAnyLanguageStaysAndOtherBytesDoNot) {
  EXPECT_EQ(printable("Müller-Brown φ⁴ 漢字 😀"), "Müller-Brown φ⁴ 漢字 😀");
  EXPECT_EQ(printable("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            "\\x9b2J");
  EXPECT_EQ(printable("\xc0\x9b \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82"), "\\xc0\\x9b \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe2\\x82");
}
