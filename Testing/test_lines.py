import json

from fastsam3d.lines import add_line, drop_cut_line, whole_lines


def test_what_is_added_is_read_line_by_line(tmp_path):
    path = tmp_path / "file"
    assert whole_lines(path) == []
    drop_cut_line(path)
    for number in (1, 2):
        add_line(path, {"number": number, "text": "µ\n"})
    assert [json.loads(line)["number"] for line in whole_lines(path)] == [1, 2]


def test_a_line_that_was_cut_short_is_not_read_and_not_joined_to_the_next(tmp_path):
    path = tmp_path / "file"
    add_line(path, {"number": 1})
    path.write_bytes(path.read_bytes() + b'{"numb')
    assert len(whole_lines(path)) == 1
    drop_cut_line(path)
    add_line(path, {"number": 2})
    assert [json.loads(line) for line in whole_lines(path)] == [{"number": 1}, {"number": 2}]


def test_a_file_of_one_cut_line_becomes_empty(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b'{"numb')
    drop_cut_line(path)
    assert path.read_bytes() == b""
