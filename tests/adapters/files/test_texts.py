"""adapters/files/texts: what many put at once is all in the file, whoever else uses it, and nobody waits for it."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from modelport import DiskStore, Response, ScriptedModel, Stall, as_request, compose, with_cache, with_timeout
from modelport.adapters.files.texts import _SCHEMA, Entry, Texts, _written, texts_at

forking = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # of a process with threads
]


def entry(text, *, size=None, until=None, put=1.0, most=1 << 40):
    return Entry(text, len(text) if size is None else size, until, put, most)


def kept(path):
    """All keys in the file, and whether it is whole and knows its sum."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((bytes_kept, added),) = file.execute("SELECT bytes, (SELECT total(size) FROM answers_1) FROM sum_1")
        assert bytes_kept == added
        return {key for (key,) in file.execute("SELECT key FROM answers_1")}


def get(texts, key, now=2.0):
    return asyncio.run(texts.get(key, now, str))


class Held:
    """The file while somebody else keeps everybody from reading and writing it."""

    def __init__(self, path):
        self.file = sqlite3.connect(path, isolation_level=None)
        self.file.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.file.execute("BEGIN EXCLUSIVE")
        self.file.execute("CREATE TABLE IF NOT EXISTS theirs (a)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.execute("COMMIT")
        self.file.close()


def script(body, *arguments):
    """Another process that has the store at this path, and these lines."""
    code = f"import asyncio, sys\nfrom modelport import DiskStore, Response\nstore = DiskStore(sys.argv[1])\n{body}"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_of_many_calls_at_once_every_answer_is_kept(tmp_path):
    model = ScriptedModel(Stall("Hi!", seconds=0.001), repeat=True)
    store = DiskStore(tmp_path / "a.db")
    stack = compose(model, with_cache(store, name="m"))

    async def main():
        await asyncio.gather(*(stack.generate(as_request(f"Row {row}")) for row in range(400)))

    asyncio.run(main())
    store.close()
    assert len(kept(tmp_path / "a.db")) == 400


def test_two_processes_write_one_file_and_each_finds_what_the_other_wrote(tmp_path):
    path = tmp_path / "a.db"
    body = (
        "for n in range(200):\n"
        "    asyncio.run(store.put(f'{sys.argv[2]}{n}', Response.of('x'), None))\n"
        "    store.flush()"
    )
    others = [script(body, path, name) for name in "ab"]
    assert [other.wait(300) for other in others] == [0, 0]
    for other in others:
        other.stdout.close()
    assert kept(path) == {f"{name}{n}" for name in "ab" for n in range(200)}
    assert asyncio.run(DiskStore(path).get("b199")) == Response.of("x")


@pytest.mark.skipif(os.name == "nt", reason="this platform has no SIGKILL")
def test_who_is_killed_leaves_a_whole_file_with_all_that_was_written(tmp_path):
    path = tmp_path / "a.db"
    body = (
        "for n in range(100_000):\n"
        "    asyncio.run(store.put(f'{n}', Response.of('x' * 5_000), None))\n"
        "    if n % 20 == 0:\n"
        "        store.flush()\n"
        "        print(n, flush=True)"
    )
    with script(body, path) as other:
        written = [int(other.stdout.readline()) for _ in range(10)][-1]
        other.send_signal(signal.SIGKILL)
    assert kept(path) >= {str(n) for n in range(written + 1)}


def test_what_waits_to_be_written_is_written_when_the_program_ends(tmp_path):
    body = "asyncio.run(store.put('a', Response.of('x'), None))"
    with script(body, tmp_path / "a.db") as other:
        assert other.wait(300) == 0
    assert kept(tmp_path / "a.db") == {"a"}


def test_what_is_put_and_asked_for_after_all_threads_have_ended_is_written_and_found(tmp_path):
    body = (
        "import atexit\n"
        "async def late():\n"
        "    await store.put('a', Response.of('x'), None)\n"
        "    store.flush()\n"
        "    print((await store.get('a')).content)\n"
        "atexit.register(lambda: asyncio.run(late()))"
    )
    with script(body, tmp_path / "a.db") as other:
        assert other.stdout.read() == "x\n"
    assert kept(tmp_path / "a.db") == {"a"}


def test_a_file_that_somebody_else_holds_costs_no_call_its_time_nor_its_answer(tmp_path, caplog):
    store = DiskStore(tmp_path / "a.db")
    model = ScriptedModel("one", "two")
    stack = compose(model, with_cache(store, name="m"), with_timeout(total=10))
    with Held(tmp_path / "a.db"):
        said = [stack(text).content for text in ("Hi!", "Bye!", "Hi!")]
    store.close()
    assert (said, len(kept(tmp_path / "a.db"))) == (["one", "two", "one"], 2)
    assert caplog.text.count("answers in it aren't found meanwhile") == 1


def test_what_can_t_be_written_in_the_end_is_said(tmp_path, caplog):
    texts = texts_at(tmp_path / "a.db")
    with Held(tmp_path / "a.db"):
        texts.put("a", entry("x"))
        texts.close(patience=0)
        assert "an answer can't be written: database is locked" in caplog.text
    assert get(texts, "a") is None
    texts.put("a", entry("x"))
    texts.close()
    assert kept(tmp_path / "a.db") == {"a"}


def test_a_program_that_ends_waits_for_a_held_file_no_longer_than_it_must(tmp_path):
    texts = texts_at(tmp_path / "a.db")
    with Held(tmp_path / "a.db"):
        texts.put("a", entry("x"))
        texts._end = 0.0  # as it is when a program has been ending for a while
        texts._write_in.submit(lambda: None).result()
    assert texts._job is None


def test_more_than_there_is_room_for_is_lost_from_the_front_and_said(tmp_path, caplog):
    texts = texts_at(tmp_path / "a.db")
    with Held(tmp_path / "a.db"):
        for key in "abc":
            texts.put(key, entry(key, size=30 << 20))
        said = [get(texts, key) for key in "abc"]
    texts.close()
    assert said == [None, "b", "c"]
    assert caplog.text.count("the first of them are lost") == 1


def test_a_text_that_waits_is_good_for_its_time_alone(tmp_path):
    texts = texts_at(tmp_path / "a.db")
    with Held(tmp_path / "a.db"):
        texts.put("a", entry("x", until=3.0))
        assert (get(texts, "a", 2.9), get(texts, "a", 3.0)) == ("x", None)


def test_what_is_put_again_takes_the_place_of_what_waits_or_was_written(tmp_path):
    texts = texts_at(tmp_path / "a.db")
    for text in ("first", "second", "3"):
        texts.put("a", entry(text))
        texts.put("a", entry(text))
        texts.flush()
    assert (get(texts, "a"), kept(tmp_path / "a.db"), texts._size) == ("3", {"a"}, 0)
    texts.close()


def test_a_file_that_is_taken_away_is_made_anew(tmp_path):
    texts = texts_at(tmp_path / "a.db")
    texts.put("a", entry("x"))
    texts.flush()
    for beside in tmp_path.iterdir():
        beside.unlink()
    assert get(texts, "a") is None
    texts.put("b", entry("y"))
    texts.close()
    assert kept(tmp_path / "a.db") == {"b"}


def test_all_who_name_a_file_share_it_and_a_copy_finds_it_again(tmp_path):
    store = DiskStore(tmp_path / "a.db")
    assert store._texts is DiskStore(str(tmp_path / "a.db"))._texts
    assert isinstance(store._texts, Texts)
    for again in (copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
        assert (again == store, again._texts is store._texts) == (True, True)


@pytest.mark.parametrize(
    "row",
    ["NULL, 1, NULL, 1.0", "5, 1, NULL, 1.0", "x'00', 1, NULL, 1.0", "'x', 1, 'soon', 1.0", "'x', 1, NULL, 'then'"],
)
def test_a_row_of_another_type_is_left_out_and_said_once(tmp_path, caplog, row):
    texts = texts_at(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db")) as file, file:
        file.execute("CREATE TABLE answers_1 (key PRIMARY KEY, answer, size, until, used)")
        file.execute(f"INSERT INTO answers_1 VALUES ('a', {row}), ('b', {row})")
    assert [get(texts, key) for key in "aab"] == [None] * 3
    assert caplog.text.count("can't be read and is left out: it is of another type") == 1
    texts.put("a", entry("mended"))
    texts.flush()
    assert get(texts, "a") == "mended"
    texts.close()


def test_a_text_that_is_no_utf_8_is_left_out_and_said_once(tmp_path, caplog):
    texts = texts_at(tmp_path / "a.db")
    texts.put("a", entry("x"))
    texts.flush()
    with closing(sqlite3.connect(tmp_path / "a.db")) as file, file:
        file.execute("UPDATE answers_1 SET answer = CAST(x'ff' AS TEXT)")
    assert [get(texts, "a"), get(texts, "a")] == [None, None]
    assert caplog.text.count("it is left out: Could not decode to UTF-8") == 1
    texts.close()


def steps(rows):
    """How many steps SQLite takes to put one text where so many are kept, and to make room for it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as file:
        for statement in _SCHEMA:
            file.execute(statement)
        file.executemany("INSERT INTO answers_1 VALUES (?, 'x', 1, NULL, ?)", ((f"{n}", n) for n in range(rows)))
        taken = []
        file.set_progress_handler(lambda: taken.append(1), 1)
        _written(file, {"new": entry("x", put=rows, most=rows)}, {})
        file.set_progress_handler(None, 1)
        assert file.execute("SELECT count(*) FROM answers_1").fetchone() == (rows,)
    return len(taken)


def test_a_put_takes_no_more_steps_where_more_is_kept():
    assert steps(10_000) == steps(100)


class TestForks:
    pytestmark = forking

    def test_a_child_has_nothing_open_and_writes_for_itself_alone(self, tmp_path):
        texts = texts_at(tmp_path / "a.db")
        texts.put("a", entry("x"))
        texts.flush()
        child = os.fork()
        if not child:
            found = get(texts, "a")
            texts.put("child", entry("y"))
            texts.close()
            os._exit(0 if found == "x" else 1)
        texts.put("parent", entry("z"))
        assert os.waitpid(child, 0)[1] == 0
        texts.close()
        assert kept(tmp_path / "a.db") == {"a", "child", "parent"}

    def test_what_waits_in_the_parent_and_whoever_holds_a_lock_there_is_forgotten(self, tmp_path):
        texts = texts_at(tmp_path / "a.db")
        with Held(tmp_path / "a.db"):
            texts.put("a", entry("x"))
            with texts._lock:
                child = os.fork()
                if not child:
                    os._exit(0 if texts._waiting == {} and get(texts, "a") is None else 1)
            assert os.waitpid(child, 0)[1] == 0
        texts.close()
        assert kept(tmp_path / "a.db") == {"a"}

    def test_a_connection_that_a_child_finds_open_is_left_to_its_parent(self, tmp_path):
        """As when something other than Python forks, which asks nobody before."""
        texts = texts_at(tmp_path / "a.db")
        texts.put("a", entry("x"))
        texts.flush()
        (left,) = texts._writer._open[:1]
        texts.forget()
        assert left.execute("SELECT key FROM answers_1").fetchall() == [("a",)]
        left.close()
