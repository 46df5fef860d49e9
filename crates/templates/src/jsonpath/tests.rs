//! Paths and what Jayway answers to them.

use serde_json::{Value, json};

use super::JsonPath;

fn shop() -> Value {
    json!({
        "store": {
            "book": [
                { "category": "reference", "author": "Nigel Rees", "title": "Sayings", "price": 8.95 },
                { "category": "fiction", "author": "Evelyn Waugh", "title": "Sword", "price": 12.99 },
                { "category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99 },
                { "category": "fiction", "author": "Tolkien", "title": "Rings", "isbn": "0-395", "price": 22.99 },
            ],
            "bicycle": { "color": "red", "price": 19.95 },
        },
        "expensive": 10,
        "empty": [],
        "numbers": [1, 2, 3, 4],
    })
}

fn find(path: &str) -> Option<Value> {
    JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}")).evaluate(&shop()).into_value()
}

fn check(path: &str, expected: Value) {
    assert_eq!(find(path), Some(expected), "{path}");
}

#[test]
fn definite_paths_give_the_value() {
    check("$.store.bicycle.color", json!("red"));
    check("store.bicycle['color']", json!("red"));
    check("$['store'][\"bicycle\"].price", json!(19.95));
    check("$.numbers[-1]", json!(4));
    check("$", shop());
    check("$.store.bicycle['color','price']", json!({ "color": "red", "price": 19.95 }));
    for missing in ["$.nope", "$.store.nope.deeper", "$.numbers[9]", "$.expensive[0]", "$.numbers.name", "$.nope[*]"] {
        assert_eq!(find(missing), None, "{missing}");
    }
}

#[test]
fn other_paths_give_lists() {
    check("$.store.book[*].price", json!([8.95, 12.99, 8.99, 22.99]));
    check("$..isbn", json!(["0-553", "0-395"]));
    check("$.store.book[0,2].title", json!(["Sayings", "Moby Dick"]));
    check("$.numbers[1:3]", json!([2, 3]));
    check("$.numbers[-2:]", json!([3, 4]));
    check("$.numbers[:-3]", json!([1]));
    check("$.numbers[:2]", json!([1, 2]));
    check("$.store.*.color", json!(["red"]));
    check("$..book[3]", json!([shop()["store"]["book"][3]]));
    check("$.empty[*]", json!([]));
    check("$..nope", json!([]));
}

#[test]
fn filters() {
    let titles = |filter: &str| find(&format!("$.store.book[?({filter})].title"));
    assert_eq!(titles("@.price < 10"), Some(json!(["Sayings", "Moby Dick"])));
    assert_eq!(titles("@.price <= $.expensive"), Some(json!(["Sayings", "Moby Dick"])));
    assert_eq!(titles("@.isbn"), Some(json!(["Moby Dick", "Rings"])));
    assert_eq!(titles("!@.isbn"), Some(json!(["Sayings", "Sword"])));
    assert_eq!(titles("@.isbn && @.price > 10 || @.category == 'reference'"), Some(json!(["Sayings", "Rings"])));
    assert_eq!(titles("@.category == 'fiction' && (@.price < 9 || @.price > 20)"), Some(json!(["Moby Dick", "Rings"])));
    assert_eq!(titles("@.author =~ /.*REES/i"), Some(json!(["Sayings"])));
    assert_eq!(titles("@.category in ['reference', 'x']"), Some(json!(["Sayings"])));
    assert_eq!(titles("@.category nin ['fiction']"), Some(json!(["Sayings"])));
    assert_eq!(titles("@.title contains 'by'"), Some(json!(["Moby Dick"])));
    assert_eq!(titles("@.title size 5"), Some(json!(["Sword", "Rings"])));
    assert_eq!(titles("@.isbn empty false"), Some(json!(["Moby Dick", "Rings"])));
    assert_eq!(titles("@.isbn != '0-553'"), Some(json!(["Sayings", "Sword", "Rings"])));
    check("$.numbers[?(@ > 2)]", json!([3, 4]));
    check("$..[?(@.color)].price", json!([19.95]));
    check("$.store.book[?(@['author'] == 'Tolkien')]['title']", json!(["Rings"]));
}

#[test]
fn functions() {
    check("$.numbers.length()", json!(4));
    check("$.store.book.length()", json!(4));
    check("$.numbers.sum()", json!(10.0));
    check("$.numbers.min()", json!(1.0));
    check("$.numbers.max()", json!(4.0));
    check("$.numbers.avg()", json!(2.5));
    check("$.store.bicycle.keys()", json!(["color", "price"]));
    check("$..price.max()", json!(22.99));
    check("$.store.bicycle.color.concat($.store.bicycle.color, '!')", json!("red!"));
    check("$.numbers.first()", json!(1));
    check("$.numbers.last()", json!(4));
    check("$.numbers.index(1)", json!(2));
    check("$.numbers.append(5)", json!([1, 2, 3, 4, 5]));
    assert_eq!(find("$.empty.sum()"), None);
}

#[test]
fn what_is_no_path() {
    for path in [
        "$.",
        "$..",
        "$[",
        "$[a]",
        "$[?(@.a]",
        "$[?@.a]",
        "$.a b",
        "$['a'",
        "$[1 2]",
        "$.a.nope()",
        " $",
        "$[?(@.a =~ /(/)]",
    ] {
        assert!(JsonPath::parse(path).is_err(), "{path}");
    }
}

#[test]
fn hostile_paths_end() {
    assert!(JsonPath::parse(&"$.a".repeat(10_000)).is_err());
    assert!(JsonPath::parse(&format!("$[?({}@.a{})]", "(".repeat(1000), ")".repeat(1000))).is_err());
    assert!(JsonPath::parse(&"$[?(@[?(".repeat(500)).is_err());
    let mut document = json!([1, 2, 3, 4, 5]);
    for _ in 0..7 {
        document = json!([document, document.clone(), document.clone()]);
    }
    let path = JsonPath::parse("$..*..*..*..*..*").expect("a path");
    assert!(matches!(path.evaluate(&document), super::Found::Missing));
}
