"""Each rule of tests/check_rooms finds a fault that is planted for it in a small tree, and nothing else."""

import json
import subprocess
from pathlib import Path

import pytest

CHECK_ROOMS = Path(__file__).parents[1] / "check_rooms"

# base is used by store, which the daemon uses; the ledger and the load generator stand beside them.
GOOD = {
    "daemon/base/text.h": "#pragma once\nstruct text { int len; };\nint text_length(const struct text *t);\n",
    "daemon/base/text.c": '#include "base/text.h"\nint text_length(const struct text *t) { return t->len; }\n',
    "daemon/store/store.h": "#pragma once\n#include \"base/text.h\"\nint store_put(struct text t);\n",
    "daemon/store/store.c": '#include "store/store.h"\nint store_put(struct text t) { return text_length(&t); }\n',
    "daemon/main.c": '#include "store/store.h"\nint main(void) { return store_put((struct text){1}); }\n',
    "daemon/ledger/hours.h": "#pragma once\nint hours_count(void);\n",
    "daemon/ledger/hours.c": '#include "ledger/hours.h"\n#include "base/text.h"\n'
                             "int hours_count(void) { return text_length(&(struct text){2}); }\n",
    "daemon/ledger/main.c": '#include "ledger/hours.h"\nint main(void) { return hours_count(); }\n',
    "bench/load/run.h": "#pragma once\nint run_load(void);\n",
    "bench/load/run.c": '#include "load/run.h"\n#include "store/store.h"\n#include "ledger/hours.h"\n'
                        "int run_load(void) { return store_put((struct text){hours_count()}); }\n",
    "bench/load/main.c": '#include "load/run.h"\nint main(void) { return run_load(); }\n',
}


compiled = {}  # the object files of sources that were compiled before, by what the compiler read


class Tree:
    def __init__(self, root):
        self.root = root
        for name, text in GOOD.items():
            self.write(name, text)

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def append(self, name, text):
        self.write(name, (self.root / name).read_text() + text)

    def check(self, *rules):
        """Builds the tree and checks it: the exit status, and the faults."""
        build = self.root / "build/release"
        build.mkdir(parents=True)
        headers = [(p.name, p.read_text()) for p in sorted(self.root.rglob("*.h"))]
        commands = []
        for i, source in enumerate(sorted(self.root.rglob("*.c"))):
            command = f"cc -Idaemon -Ibench -o build/release/{i}.o -c {source.relative_to(self.root)}"
            commands.append({"directory": str(self.root), "file": str(source), "command": command})
            read = str((headers, source.read_text()))
            if read not in compiled:
                subprocess.run(command.split(), cwd=self.root, check=True)
                compiled[read] = (build / f"{i}.o").read_bytes()
            (build / f"{i}.o").write_bytes(compiled[read])
        (build / "compile_commands.json").write_text(json.dumps(commands))
        done = subprocess.run([CHECK_ROOMS, "--root", self.root, *rules], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()[:-1]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def assert_one(result, place, *words):
    status, faults = result
    assert status == 1
    assert len(faults) == 1, faults
    assert faults[0].startswith(place), faults
    for word in words:
        assert word in faults[0]


def test_a_good_tree_has_no_fault(tree):
    assert tree.check() == (0, [])


def test_an_include_that_points_up(tree):
    tree.append("daemon/base/text.c", '#include "store/store.h"\n')
    assert_one(tree.check("arrows"), "daemon/base/text.c:3:", 'base includes "store/store.h"', "base uses only itself")


def test_a_call_that_points_up_without_an_include(tree):
    tree.append("daemon/store/store.c", "int run_now(void);\nint store_run(void) { return run_now(); }\n")
    tree.write("daemon/run/run.c", "int run_now(void) { return 1; }\n")
    assert_one(tree.check("arrows"), "daemon/store/store.c:3:", "store uses run_now of daemon/run/run.c", "store uses only base")


def test_a_pointer_to_a_function_above(tree):
    tree.append("daemon/store/store.c", "int run_now(void);\nint (*const store_hook)(void) = run_now;\n")
    tree.write("daemon/run/run.c", "int run_now(void) { return 1; }\n")
    assert_one(tree.check("arrows"), "daemon/store/store.c:3:", "run_now")


def test_the_players_api_and_the_publisher_do_not_use_each_other(tree):
    tree.write("daemon/publish/cycle.h", "enum { CYCLES = 1 };\n")
    tree.write("daemon/api/api.c", '#include "publish/cycle.h"\n')
    assert_one(tree.check("arrows"), "daemon/api/api.c:1:", "api includes")


@pytest.mark.parametrize("header", ["ledger/hours.h", "load/run.h"])
def test_the_daemon_uses_neither_the_ledger_nor_the_bench(tree, header):
    tree.append("daemon/store/store.c", f'#include "{header}"\n')
    assert_one(tree.check("arrows"), "daemon/store/store.c:3:", f'store includes "{header}"')


def test_the_ledger_does_not_use_the_store(tree):
    tree.append("daemon/ledger/hours.c", '#include "store/store.h"\n')
    assert_one(tree.check("arrows"), "daemon/ledger/hours.c:4:", "ledger uses only base, config, credit, stream")


def test_a_room_that_nobody_knows(tree):
    tree.write("daemon/cellar/wine.c", '#include "base/text.h"\n')
    assert_one(tree.check("arrows"), "daemon/cellar/wine.c:1:", "cellar is not a room")


def test_a_circle_of_includes(tree):
    tree.write("daemon/store/values.h", '#include "store/apply.h"\n')
    tree.write("daemon/store/apply.h", '#pragma once\n#include "store/values.h"\n')
    assert_one(tree.check("circles"), "daemon/store/values.h:1:", "daemon/store/apply.h:2")


def test_a_circle_of_calls(tree):
    tree.append("daemon/base/text.c", "int hex_digit(void);\nint text_of(void) { return hex_digit(); }\n")
    tree.write("daemon/base/hex.c", "int text_of(void);\nint hex_digit(void) { return text_of(); }\n")
    assert_one(tree.check("circles"), "daemon/base/text.c:3:", "daemon/base/hex.c:1 uses text_of")


def test_a_circle_of_three_through_a_call_and_an_include(tree):
    tree.write("daemon/base/a.h", '#include "base/b.h"\n')
    tree.write("daemon/base/b.c", "int c_call(void);\nint b_call(void) { return c_call(); }\n")
    tree.write("daemon/base/b.h", "int b_call(void);\n")
    tree.write("daemon/base/c.c", '#include "base/a.h"\nint c_call(void) { return 1; }\n')
    assert_one(tree.check("circles"), "daemon/base/c.c:1:", "in a circle")


def test_two_circles_are_two_faults(tree):
    for one, other in (("a", "b"), ("a", "c")):
        tree.write(f"daemon/base/{other}.h", f'#pragma once\n#include "base/{one}.h"\n')
    tree.write("daemon/base/a.h", '#pragma once\n#include "base/b.h"\n#include "base/c.h"\n')
    status, faults = tree.check("circles")
    assert status == 1 and len(faults) == 2


@pytest.mark.parametrize("comment", ["", "/* For the tests alone. */\n"])
def test_a_function_that_nobody_calls(tree, comment):
    tree.append("daemon/base/text.h", comment + "int text_spare(void);\n")
    tree.append("daemon/base/text.c", "int text_spare(void) { return 1; }\n")
    assert_one(tree.check("unused"), "daemon/base/text.h:", "text_spare of daemon/base/text.c", "remove it")


def test_a_function_that_only_its_own_file_calls(tree):
    tree.append("daemon/base/text.c", "int text_spare(void) { return 1; }\nstatic int (*use)(void) = text_spare;\n"
                                      "int text_length2(void) __attribute__((alias(\"text_spare\")));\n")
    status, faults = tree.check("unused")
    assert status == 1 and any("text_spare" in f and "make it static" in f for f in faults)


def test_a_test_is_no_caller(tree):
    tree.append("daemon/base/text.h", "int text_spare(void);\n")
    tree.append("daemon/base/text.c", "int text_spare(void) { return 1; }\n")
    tree.write("tests/unit/test_text.c", '#include "base/text.h"\nint main(void) { return text_spare(); }\n')
    assert_one(tree.check("unused"), "daemon/base/text.h:4:", "text_spare")


@pytest.mark.parametrize("comment", ["/* For tests: whoever waits sees it. */", "/*\n * For tests: the same.\n * More.\n */",
                                     "// How long. For tests: so.", "/* For tests: both. */\nint text_also(void);"])
def test_what_is_marked_as_for_tests(tree, comment):
    tree.append("daemon/base/text.h", f"\n{comment}\nint text_spare(void);\n")
    tree.append("daemon/base/text.c", "int text_spare(void) { return 1; }\n")
    assert tree.check("unused") == (0, [])


def test_a_mark_counts_for_its_own_paragraph_alone(tree):
    tree.append("daemon/base/text.h", "\n/* For tests: a. */\nint text_a(void);\n\nint text_b(void);\n")
    tree.append("daemon/base/text.c", "int text_a(void) { return 1; }\nint text_b(void) { return 1; }\n")
    assert_one(tree.check("unused"), "daemon/base/text.h:", "text_b")


def test_a_mark_that_is_not_true(tree):
    tree.write("daemon/base/text.h", GOOD["daemon/base/text.h"].replace("int text_", "/* For tests: no. */\nint text_"))
    assert_one(tree.check("unused"), "daemon/base/text.h:4:", "drop the mark")


def test_a_name_of_neither_file_nor_folder(tree):
    tree.append("daemon/base/text.c", "int word_count(void) { return 1; }\n")
    assert_one(tree.check("names"), "daemon/base/text.c:3:", "word_count", "none of text, base")


@pytest.mark.parametrize("name", ["text_count", "base_count", "text"])
def test_names_of_file_and_folder(tree, name):
    tree.append("daemon/base/text.c", f"int {name}(void) {{ return 1; }}\n")
    assert tree.check("names") == (0, [])


def test_a_variable_has_a_name_too(tree):
    tree.append("daemon/base/text.c", "int words = 3;\n")
    assert_one(tree.check("names"), "daemon/base/text.c:3:", "words")


def test_two_objects_define_one_symbol(tree):
    tree.append("bench/load/run.c", "int hours_count(void) { return 3; }\n")
    assert_one(tree.check("twice"), "daemon/ledger/hours.c:3:", "hours_count", "bench/load/run.c")


@pytest.mark.parametrize("kind", ["struct", "union", "enum"])
def test_one_tag_for_two_things(tree, kind):
    members = "{ TEXT_A }" if kind == "enum" else "{ int a; }"
    tree.append("bench/load/run.h", f"{kind} span {members};\n")
    tree.append("daemon/ledger/hours.c", "struct span { int b; };\n")
    assert_one(tree.check("tags"), "daemon/ledger/hours.c:4:", "struct span", "bench/load/run.h:3")


def test_a_tag_in_a_comment_is_none(tree):
    tree.append("daemon/ledger/hours.c", "/* struct text { as base has it } */\n")
    assert tree.check("tags") == (0, [])


@pytest.mark.parametrize("declared", ["int hours_count(void);", "int hours_count(void) __attribute__((cold));",
                                      "extern int\nhours_count(void);"])
def test_a_header_declares_what_another_source_defines(tree, declared):
    tree.append("daemon/base/text.h", f"{declared}\n")
    status, faults = tree.check("headers")
    assert status == 1
    assert "hours_count is declared here" in faults[0] and "daemon/ledger/hours.h" in faults[0]


def test_a_header_without_a_source_declares_a_function(tree):
    tree.write("daemon/base/types.h", "int types_make(void);\n")
    assert_one(tree.check("headers"), "daemon/base/types.h:1:", "types_make", "nothing does")


def test_a_header_of_types_inline_functions_and_macros(tree):
    tree.write("daemon/base/types.h", "#pragma once\n#define MAKE(a) \\\n    make(a);\n"
                                      "typedef int make(int);\nstruct maker { make *m; int (*f)(void); };\n"
                                      '_Static_assert(sizeof(int) == 4, "four");\nenum { MAKERS = 1 };\n'
                                      "static inline int types_two(int a)\n{\n    return text_length(a);\n}\n")
    assert tree.check("headers", "tags") == (0, [])


def test_an_object_file_that_is_older_than_its_source_is_not_believed(tree):
    tree.check()
    (tree.root / "daemon/main.c").touch()
    done = subprocess.run([CHECK_ROOMS, "--root", tree.root], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "build" in done.stderr
