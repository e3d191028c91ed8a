"""minuted.d.ts as a TypeScript compiler reads it."""

import subprocess

from harness.daemon import ROOT


def test_a_page_in_typescript(tmp_path):
    players = subprocess.run([ROOT / "tests/browser/fetch"], capture_output=True, text=True, timeout=400, check=True)
    types = ROOT / "daemon/web/sdk/minuted.d.ts"
    (tmp_path / "tsconfig.json").write_text(f"""{{
        "compilerOptions": {{"strict": true, "noEmit": true, "target": "es2020", "lib": ["es2020", "dom"], "module": "esnext",
                            "moduleResolution": "bundler", "types": [], "paths": {{"minuted": ["{types}"]}}}},
        "files": ["{ROOT / "tests/sdk/types.ts"}", "{types}"]}}""")
    done = subprocess.run(["node", f"{players.stdout.strip()}/typescript/tsc.js", "--project", tmp_path],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
