"""The items tutorial through the JavaScript SDK v3."""

import pathlib
import subprocess

from harness import functions

SCRIPTS = pathlib.Path(__file__).parent / "js"
CODE = """
const names = ["Lamp", "Chair", "Desk", "Shelf"];
export const handler = async (event) => {
  const found = event.pathParameters ? names[event.pathParameters.id - 1] : names;
  return { statusCode: found ? 200 : 404, body: JSON.stringify({ release: %d, found }) };
};
"""


def test_the_tutorial(server, client_environment, tmp_path):
    assert (SCRIPTS / "node_modules").is_dir(), "the SDK is not installed; run `npm ci` in tests/e2e/js"
    environment = client_environment | {"FRONTGATE_URL": server.url}
    for release in (1, 2):
        zip_file = tmp_path / f"release-{release}.zip"
        zip_file.write_bytes(functions.archive({"index.mjs": CODE % release}))
        environment[f"RELEASE_{release}"] = str(zip_file)
    completed = subprocess.run(
        ["node", "--test", "--test-reporter=tap", "items.test.mjs"],
        cwd=SCRIPTS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    output = completed.stdout + completed.stderr
    assert completed.returncode == 0, output
    assert "# pass 2" in output and "# fail 0" in output and "# skipped 0" in output, output
