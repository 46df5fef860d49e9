"""Makes Lambda functions from source text."""

import io
import zipfile

PYTHON = "python3.13"
NODE = "nodejs22.x"
ROLE = "arn:aws:iam::000000000000:role/e2e"


def archive(files):
    """A zip file of {name: text or bytes}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return buffer.getvalue()


def create(client, name, source, runtime=PYTHON, **options):
    """Creates a function of one file with the entry `handler`, waits until it is active, returns its ARN."""
    file, handler = ("index.mjs", "index.handler") if runtime.startswith("node") else ("app.py", "app.handler")
    options = {"Handler": handler, "Role": ROLE, "Code": {"ZipFile": archive({file: source})}, **options}
    arn = client.create_function(FunctionName=name, Runtime=runtime, **options)["FunctionArn"]
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return arn


def allow_gateway(client, name, qualifier=None, source="arn:aws:execute-api:us-east-1:000000000000:*"):
    """Lets API Gateway call a function."""
    qualified = {"Qualifier": qualifier} if qualifier else {}
    client.add_permission(
        FunctionName=name,
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=source,
        **qualified,
    )
