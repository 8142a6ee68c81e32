"""What people see of a text."""

import pytest

from credits.texts import is_line


@pytest.mark.parametrize(
    "text",
    ["Ada", "שלום", "می\u200cخواهم", "क्\u200dष", "👩\u200d💻 Ada", "<b>&amp;</b>", "a  b"],
)
def test_a_line_in_which_everything_is_seen_is_taken_joined_letters_and_emoji_too(text: str):
    assert is_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\u200d",
        "\u200c\u200d",
        "a\nb",
        "a\0b",
        "a\u202eb",
        "a\u2066b",
        "a\u200bb",
        "a\ufeffb",
        "a\u00adb",
        "a\x1bb",
    ],
)
def test_what_hides_or_turns_a_text_is_refused(text: str):
    assert not is_line(text)
