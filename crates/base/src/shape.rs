//! The types of shape tables: what an AWS service's model says about its operations and the data they carry.
//!
//! `codegen` writes tables of these types into `crates/models`; `wire` reads them to decode, validate and encode any
//! request without code of its own per operation. Tables are static data: shapes point at each other by reference and
//! may be recursive, so nothing here walks them without a bound.

mod values;

pub use values::{Blob, InvalidBase64, Sensitive, Timestamp, base64_decode, base64_encode};

/// One AWS service as its public model describes it.
#[derive(Debug)]
pub struct Service {
    /// The name by which tools and our messages call it (`apigateway`, `lambda`): the folder name of the model.
    pub name: &'static str,
    /// The service in the credential scope of a signature; several services may share one.
    pub signing_name: &'static str,
    /// The API version, a date (`2015-07-09`).
    pub version: &'static str,
    /// The wire protocol that we speak for it.
    pub protocol: Protocol,
    /// What stands before the dot in `X-Amz-Target`, for the JSON protocols.
    pub target_prefix: Option<&'static str>,
    /// The XML namespace of answers, for the query protocol.
    pub xml_namespace: Option<&'static str>,
    /// How validation messages spell the way to a member.
    pub path_style: PathStyle,
    /// Whether validation messages end the rules of a list's or a map's elements with `Member must not be null`.
    pub elements_not_null: bool,
    /// Every operation of the service, in the order of their names.
    pub operations: &'static [&'static OperationModel],
}

impl Service {
    /// The operation called `name`, spelt exactly.
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        let index = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        Some(self.operations[index])
    }
}

/// AWS's wire protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP bindings from the model, JSON bodies.
    RestJson,
    /// `X-Amz-Target` and JSON 1.0 bodies.
    Json10,
    /// `X-Amz-Target` and JSON 1.1 bodies.
    Json11,
    /// Form parameters in, XML out.
    Query,
}

/// How a service's validation messages spell the way to a member (recorded from AWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// `snapStart.applyOn`: from the top member down (Lambda, IAM, STS).
    Bare,
    /// `putIntegrationInput.type` for members of the body, bare for those of the path and the query (API Gateway).
    OperationInput,
}

/// One operation: how it is called and what goes in and out.
#[derive(Debug)]
pub struct OperationModel {
    /// AWS's name, `CreateRestApi`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path with `{labels}`, and the query literals that select the operation (`/restapis?mode=import`).
    pub uri: &'static str,
    /// The status of a successful answer.
    pub status: u16,
    /// Whether tables and typed structs were generated for it; without them, it is answered with `NotImplemented`.
    pub implemented: bool,
    /// The input structure; absent when there is none, or when the operation is not implemented.
    pub input: Option<&'static Shape>,
    /// The output structure; absent when there is none, or when the operation is not implemented.
    pub output: Option<&'static Shape>,
    /// The element that holds the output, for the query protocol (`GetCallerIdentityResult`).
    pub result_wrapper: Option<&'static str>,
    /// The errors that the model names for the operation; empty when it is not implemented.
    pub errors: &'static [&'static ErrorModel],
}

/// One kind of error, as the model describes it.
#[derive(Debug)]
pub struct ErrorModel {
    /// The code that goes over the wire, `NotFoundException`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The member that holds the text: `message` or `Message`.
    pub message_member: &'static str,
    /// Whether the body has a `Type` member (`User`, `Service`), as Lambda's errors do.
    pub has_type: bool,
    /// Whether the service is to blame rather than the caller.
    pub fault: bool,
}

/// A named type of the model.
#[derive(Debug)]
pub struct Shape {
    /// The name in the model.
    pub name: &'static str,
    /// What it holds, and within which bounds.
    pub kind: Kind,
    /// Whether its values must not be shown in logs and messages.
    pub sensitive: bool,
}

/// What a shape holds, and within which bounds.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure(Structure),
    /// A sequence of one kind.
    List(List),
    /// Text keys to values of one kind.
    Map(Map),
    /// Text.
    String(Text),
    /// A 32-bit number, with its inclusive bounds.
    Integer(Range),
    /// A 64-bit number, with its inclusive bounds.
    Long(Range),
    /// A floating-point number (float and double alike), with its inclusive bounds.
    Double(RealRange),
    /// True or false.
    Boolean,
    /// An instant.
    Timestamp(Option<TimestampFormat>),
    /// Bytes, with bounds on their number.
    Blob(Range),
    /// Any JSON document, untouched.
    Document,
}

/// Named members.
#[derive(Debug)]
pub struct Structure {
    /// The members in the model's order.
    pub members: &'static [Member],
    /// The member that is the whole body, for the rest protocols.
    pub payload: Option<&'static str>,
}

impl Structure {
    /// The member called `name` in the model.
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The name in the model and in the typed struct's JSON.
    pub name: &'static str,
    /// The name on the wire: JSON key, XML element, header, query parameter or label of the path.
    pub wire_name: &'static str,
    /// Where it travels.
    pub location: Location,
    /// Its type.
    pub shape: &'static Shape,
    /// Whether a request without it is refused.
    pub required: bool,
    /// The format of a timestamp, where the member says so itself.
    pub timestamp_format: Option<TimestampFormat>,
}

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// In a label of the path.
    Uri,
    /// In a query parameter; a map gives its entries as parameters.
    Query,
    /// In a header.
    Header,
    /// In all headers whose names begin with the wire name.
    Headers,
    /// As the HTTP status.
    StatusCode,
}

/// A sequence of one kind.
#[derive(Debug)]
pub struct List {
    /// The type of each element.
    pub member: &'static Shape,
    /// The element's name in XML and in the query protocol, `member` unless the model says otherwise.
    pub member_name: &'static str,
    /// Whether the elements stand without an enclosing element.
    pub flattened: bool,
    /// Bounds on the number of elements.
    pub length: Range,
}

/// Text keys to values of one kind.
#[derive(Debug)]
pub struct Map {
    /// The type of the keys, always text.
    pub key: &'static Shape,
    /// The type of the values.
    pub value: &'static Shape,
    /// The key's name in XML and in the query protocol.
    pub key_name: &'static str,
    /// The value's name in XML and in the query protocol.
    pub value_name: &'static str,
    /// Whether the entries stand without an enclosing element.
    pub flattened: bool,
    /// Whether a value may be null.
    pub nullable_values: bool,
    /// Bounds on the number of entries.
    pub length: Range,
}

/// Text and what it must satisfy.
#[derive(Debug)]
pub struct Text {
    /// Bounds on the number of characters.
    pub length: Range,
    /// A Java regular expression that the whole text must match.
    pub pattern: Option<&'static str>,
    /// The allowed values, in the order in which the service prints them; empty when any text is allowed.
    pub enumeration: &'static [&'static str],
}

/// Inclusive bounds on a whole number or a length; absent means unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The least value allowed.
    pub min: Option<i64>,
    /// The greatest value allowed.
    pub max: Option<i64>,
}

impl Range {
    /// No bounds at all.
    pub const ANY: Range = Range { min: None, max: None };
}

/// Inclusive bounds on a floating-point number; absent means unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RealRange {
    /// The least value allowed.
    pub min: Option<f64>,
    /// The greatest value allowed.
    pub max: Option<f64>,
}

/// The ways in which AWS writes instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since 1970 as a number.
    UnixTimestamp,
    /// `2020-01-01T00:00:00Z`.
    Iso8601,
    /// `Wed, 01 Jan 2020 00:00:00 GMT`.
    Rfc822,
}

/// An operation as a type, so that a handler's input and output are checked when it is registered.
pub trait Operation {
    /// The typed input.
    type Input: serde::de::DeserializeOwned + Send + 'static;
    /// The typed output; `()` where the model has none.
    type Output: serde::Serialize + Send + 'static;
    /// The operation's entry in the shape table.
    const MODEL: &'static OperationModel;

    /// Puts a body that is nothing but bytes into the input; for operations whose input has such a payload.
    fn set_payload(_input: &mut Self::Input, _body: bytes::Bytes) {}

    /// Takes the body that is nothing but bytes out of the output; for operations whose output has such a payload.
    fn take_payload(_output: &mut Self::Output) -> Option<bytes::Bytes> {
        None
    }
}
