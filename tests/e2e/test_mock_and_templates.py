"""MOCK integrations and mapping templates, through a deployed API."""

import json

import pytest
from harness.rest_api import Api

# Request templates of a mock: what is taken for a status, and what is refused.
TAKEN = [
    '{"statusCode": 200}',
    "{statusCode: 200}",
    "{'statusCode': 200, '': ''}",
    '{"statusCode": 200 ,, }',
    "{statusCode: 200, foo}: [ba r]}",
    '{"statusCode": 200, null: null}',
]
REFUSED = [
    '{"statusCode": "200"}',
    "{}",
    '{"other": 200}',
    '{"statusCode: 200}',
    "statusCode: 200",
    "{statusCode: 200, {foo: 1}}",
    '{"statusCode": 200.5}',
    "",
]


@pytest.fixture(scope="module")
def mocks(apigateway, server):
    api = Api(apigateway, server.port)
    for number, template in enumerate(TAKEN + REFUSED):
        api.mock(f"/m{number}", body='"ok"', request=template)
    api.deploy()
    return api


@pytest.mark.parametrize("template", TAKEN)
def test_a_mock_reads_its_status_leniently(mocks, template):
    answer = mocks.call(f"/m{TAKEN.index(template)}")
    assert (answer.status, answer.text) == (200, '"ok"')
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("X-Amzn-Trace-Id") is None, "a mock calls nobody, so there is no trace to give"


@pytest.mark.parametrize("template", REFUSED[:-1])
def test_a_mock_refuses_what_gives_no_status(mocks, template):
    answer = mocks.call(f"/m{len(TAKEN) + REFUSED.index(template)}")
    assert (answer.status, answer.text) == (500, '{"message": "Internal server error"}')
    assert answer.header("x-amzn-ErrorType") == "InternalServerErrorException"


# Template, request body, query, output. What a template needs in its context is set by the template itself.
VECTORS = [
    ("Hello $name", None, "Hello "),
    ("#if($value)true#{else}false#end", None, "true"),
    ("#set($value = $null)#if ( !$value )yes#end", None, ""),
    ('#set($a = {"b": {"c": false}})#if(${a.b.c})yes!#end', None, ""),
    ("#foreach ($i in [1, 2, 3])$i. #if ($foreach.hasNext)yes#end, #end", None, "1. yes, 2. yes, 3. , "),
    ("#foreach ($j in [1,2])#foreach ($i in [3, 4])$foreach.count,#end$foreach.count|#end", None, "1,2,1|1,2,2|"),
    ("#set($i = 1)$i,#foreach ($i in [2, 3, 4])$i,#set($i = $i)#end$i", None, "1,2,3,4,1"),
    ("#set($items = [2, 3, 4])#set($var = 1)#foreach ($i in $items)$var,#set($var = $i)#end$var", None, "1,2,3,4"),
    (
        "#set($foo = [1,2,3])#set( $ignore = $foo.add('string value') )#foreach($item in $foo)$item,#end",
        None,
        "1,2,3,string value,",
    ),
    (
        "#set($test_array = ['one', 'two', 'three'] )$test_array.set(1, 'foo')#foreach ($item in $test_array)$item#end",
        None,
        "twoonefoothree",
    ),
    (
        "#set($d = {'k': 'initial value'})#set( $ignore = $d.put('k', 'new value') )$ignore - $d.k",
        None,
        "initial value - new value",
    ),
    ('#set($horse = \'cow\')#set($a = {"dog": "$horse"})$a.dog', None, "cow"),
    ("#set($foo = 'foobar123bab')$foo.replaceAll('ba.', 'foo')", None, "foofoo123foo"),
    ("hello #stop world", None, "hello "),
    ("#define( $f )$ctx#end#set( $ctx = 'foo' )$f#set( $ctx = 'bar' )$f", None, "foobar"),
    (
        "#set($p = 'Chris')blah\n#set($l = [\"Hello \", $p])\n#foreach($v in $l)$v#end\n\nblah",
        None,
        "blah\nHello Chris\nblah",
    ),
    ("#set($s = '')$s.format('%05.1f|%-4s|%,d', 2.25, 'ab', 1234567)", None, "002.3|ab  |1,234,567"),
    ("#set($Integer = 0)#set($n = $Integer.parseInt('41') + 1)$n $\\!n", None, "42 $!n"),
    ("#set($n = 5 * 4 - 2)$n;#set($b = 4 > 2 + 5)$b", None, "18;false"),
    (
        "$stageVariables.word $stageVariables['word'] ${stageVariables.word} [$stageVariables.none]",
        None,
        "alpha alpha alpha []",
    ),
    ("$context.stage $context.httpMethod $context.resourcePath $context.none", None, "test POST {path} "),
    (
        "#foreach($n in $context.identity.keySet())#if($n == 'sourceIp')$context.identity.get($n)#end#end",
        None,
        "127.0.0.1",
    ),
]
PAYLOADS = [
    ("#set($result = $input.path('$.json'))$result[0]", {"json": [[{"foo": "bar"}]]}, '[{"foo":"bar"}]'),
    ("$input.path('$.a')", {"a": {"foo": "bar"}}, "{foo=bar}"),
    ("$input.path('$.a')", {"a": [{"foo": "bar"}]}, '[{"foo":"bar"}]'),
    ("$input.json('$.a')", {"a": 'q"u'}, '"q\\"u"'),
    ("$input.json('$')", {"b": 1, "a": [True, None, 1.5]}, '{"b":1,"a":[true,null,1.5]}'),
    ("$input.json('$.none')", {"a": 1}, '""'),
    ("$input.body", {"a": 1}, '{"a": 1}'),
    ("$input.path('$.none')x", {"a": 1}, "x"),
    ("#foreach($e in $input.path('$.l'))$e.n;#end", {"l": [{"n": 1}, {"n": "two"}]}, "1;two;"),
    ("#set($r = $input.path('$'))$r.a.size() $r.a[1] $r.s.length()", {"a": [1, 2], "s": "abc"}, "2 2 3"),
]


@pytest.fixture(scope="module")
def templates(apigateway, server):
    """Each template as the response template of a mock."""
    api = Api(apigateway, server.port)
    for number, (template, _, _) in enumerate(VECTORS):
        api.mock(f"/v{number}", "POST", body=template)
    api.deploy(variables={"word": "alpha"})
    return api


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_a_template_renders_as_on_aws(templates, number):
    template, body, output = VECTORS[number]
    answer = templates.call(
        f"/v{number}", "POST", {"Content-Type": "application/json"}, json.dumps(body) if body else ""
    )
    assert (answer.status, answer.text) == (200, output.replace("{path}", f"/v{number}")), template


@pytest.fixture(scope="module")
def request_templates(apigateway, server, upstream):
    """Each template as the request template of an HTTP integration, whose backend tells what it was sent."""
    api = Api(apigateway, server.port)
    for number, (template, _, _) in enumerate(PAYLOADS):
        path = f"/p{number}"
        api.backend(path, "POST", f"{upstream.url}/echo", kind="HTTP", requestTemplates={"application/json": template})
        api.response(path, "POST")
    api.deploy()
    return api


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_a_request_template_sees_the_payload(request_templates, number):
    template, payload, output = PAYLOADS[number]
    answer = request_templates.call(f"/p{number}", "POST", {"Content-Type": "application/json"}, json.dumps(payload))
    assert answer.status == 200, answer
    assert answer.json()["body"] == output, template


def test_parameters_are_found_in_path_query_and_header_in_this_order(apigateway, server):
    api = Api(apigateway, server.port)
    api.mock(
        "/{id}",
        body="$input.params('id')|$input.params('q')|$input.params('X-H')|$input.params('none')|$input.params().path.id",
    )
    api.deploy()
    answer = api.call("/seven?id=query&q=a&q=b", headers={"X-H": "header", "id": "header"})
    assert answer.text == "seven|b|header||seven"
    for dropped in ("Max-Forwards", "Content-MD5", "TE", "Upgrade", "Server", "Trailer", "WWW-Authenticate"):
        assert api.call(f"/seven?q={dropped}", headers={dropped: "x"}).status == 200


def test_the_status_and_headers_can_be_overridden(apigateway, server):
    api = Api(apigateway, server.port)
    override = (
        '#set($context.responseOverride.status = %s)#set($context.responseOverride.header.X-Made = "yes"){"s": 1}'
    )
    for path, status in (("/teapot", "418"), ("/nonsense", "9999"), ("/text", '"abc"')):
        api.mock(path, body=override % status)
    api.deploy()
    assert api.call("/teapot").status == 418 and api.call("/teapot").header("X-Made") == "yes"
    assert api.call("/nonsense").status == 200 and api.call("/text").status == 200


def test_an_override_is_final(apigateway, server):
    api = Api(apigateway, server.port)
    first = '#set($h = $context.responseOverride.header)#set($i = $h.put("X-A", "1"))'
    api.mock("/same", body=first + '#set($context.responseOverride.header["X-A"] = "1")"ok"')
    api.mock("/other", body=first + '#set($context.responseOverride.header["X-A"] = "2")"ok"')
    api.deploy()
    assert (api.call("/same").status, api.call("/same").header("X-A")) == (200, "1")
    assert (api.call("/other").status, api.call("/other").header("X-A")) == (500, None)


def test_a_hostile_template_ends_in_an_error(apigateway, server):
    loop = "#foreach($i in [1..1000])"
    hostile = [
        f"{loop * 4}x{'#end' * 4}",
        "#set($s = 'xxxxxxxx')#foreach($i in [1..64])#set($s = \"$s$s\")#end$s",
        "#set($l = [])#set($x = $l.add($l))$l",
        "#set($l = [1])#foreach($i in [1..64])#set($x = $l.addAll($l))#end",
        "#set($m = {})#foreach($i in [1..64])#set($m = {'a': $m, 'b': $m})#end$m",
        "#set($s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')" + loop + "$s.replaceAll('(?=a)(a|a?)+\\1$', '')#end",
    ]
    classes = "#set($s = 'x')[$s.class.forName('java.lang.Runtime').getRuntime().exec('id')$s.getClass()]"
    api = Api(apigateway, server.port)
    for number, template in enumerate(hostile):
        api.mock(f"/h{number}", body=template)
    api.mock("/classes", body=classes)
    api.deploy()
    for number, template in enumerate(hostile):
        answer = api.call(f"/h{number}")
        assert (answer.status, answer.text) == (500, '{"message": "Internal server error"}'), template
    assert api.call("/classes").text == "[]"


def test_response_headers_are_mapped(apigateway, server):
    api = Api(apigateway, server.port)
    api.mock(
        "/cors",
        "OPTIONS",
        headers={
            "Access-Control-Allow-Origin": "'*'",
            "Access-Control-Allow-Methods": "'GET,OPTIONS'",
            "X-Stage": "context.stage",
            "X-Word": "stageVariables.word",
        },
    )
    api.deploy(variables={"word": "alpha"})
    answer = api.call(
        "/cors", "OPTIONS", headers={"Origin": "http://page.example", "Access-Control-Request-Method": "GET"}
    )
    assert answer.status == 200 and answer.body == b""
    got = {
        name: answer.header(name)
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "X-Stage", "X-Word")
    }
    assert got == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET,OPTIONS",
        "X-Stage": "test",
        "X-Word": "alpha",
    }


def test_the_integration_response_is_chosen_by_status(apigateway, server):
    api = Api(apigateway, server.port)
    api.mock("/s", request="{\"statusCode\": $input.params('s')}", body='"default"')
    api.response("/s", status=404, body='"missing"', selectionPattern="4\\d{2}")
    api.response("/s", status=503, body='"broken"', selectionPattern="5..")
    api.deploy()
    assert [api.call(f"/s?s={status}").status for status in (200, 404, 410, 503, 302)] == [200, 404, 404, 503, 200]
    assert api.call("/s?s=404").text == '"missing"'


def test_a_broken_template_is_a_server_error_and_says_nothing_of_itself(apigateway, server):
    api = Api(apigateway, server.port)
    broken = [
        "$",
        "#if($x)",
        "#foreach($i in [1..3])",
        "#set($x = )",
        "#set($l = [1])$l.get(99)",
        "#end",
        "${",
        '#set($x = "',
    ]
    for number, template in enumerate(broken):
        try:
            api.mock(f"/b{number}", body=template)
        except api.client.exceptions.BadRequestException:
            api.mock(f"/c{number}", body="fine")
    api.deploy()
    for number, template in enumerate(broken):
        answer = api.call(f"/b{number}")
        assert answer.status in (200, 403, 500), template
        if answer.status == 500:
            assert answer.text == '{"message": "Internal server error"}'
    assert api.call("/b0").status == 500, "a template that ends in a lone $ fails"


def test_a_template_is_chosen_by_content_type(apigateway, server, upstream):
    api = Api(apigateway, server.port)
    templates = {"application/json": '"json"', "text/plain": '"plain"'}
    for path, behaviour in (("/match", "WHEN_NO_MATCH"), ("/templates", "WHEN_NO_TEMPLATES"), ("/never", "NEVER")):
        api.backend(
            path, "POST", f"{upstream.url}/echo", kind="HTTP", requestTemplates=templates, passthroughBehavior=behaviour
        )
        api.response(path, "POST")
    for path, behaviour in (("/none-templates", "WHEN_NO_TEMPLATES"), ("/none-never", "NEVER")):
        api.backend(path, "POST", f"{upstream.url}/echo", kind="HTTP", passthroughBehavior=behaviour)
        api.response(path, "POST")
    api.deploy()

    def sent(path, kind):
        answer = api.call(path, "POST", {"Content-Type": kind} if kind else {}, "raw")
        return answer.json()["body"] if answer.status == 200 else (answer.status, answer.json()["message"])

    refused = (415, "Unsupported Media Type")
    for path in ("/match", "/templates", "/never"):
        assert sent(path, "application/json") == '"json"' and sent(path, "text/plain; charset=utf-8") == '"plain"'
        assert sent(path, None) == '"json"', "no content type is application/json"
    assert [sent(path, "text/csv") for path in ("/match", "/templates", "/never")] == ["raw", refused, refused]
    assert [sent(path, "text/csv") for path in ("/none-templates", "/none-never")] == ["raw", refused]
