//! The compiled form of a template: what the parser makes and the machine walks.

use crate::java_regex::{JavaRegex, RegexError};
use crate::jsonpath::JsonPath;

/// The variables that every template has before it sets its own; their slots are these numbers.
pub(super) const BUILT_IN_NAMES: [&str; 7] =
    ["input", "util", "context", "stageVariables", "foreach", "velocityCount", "velocityHasNext"];
pub(super) const SLOT_INPUT: u32 = 0;
pub(super) const SLOT_UTIL: u32 = 1;
pub(super) const SLOT_CONTEXT: u32 = 2;
pub(super) const SLOT_STAGE_VARIABLES: u32 = 3;
pub(super) const SLOT_FOREACH: u32 = 4;
pub(super) const SLOT_VELOCITY_COUNT: u32 = 5;
pub(super) const SLOT_VELOCITY_HAS_NEXT: u32 = 6;

/// Statements in order.
pub(super) type Block = Vec<Node>;

#[derive(Debug)]
pub(super) enum Node {
    Text(Box<str>),
    /// A reference in running text: its value is printed.
    Print(Reference),
    /// `\$x`: a reference with backslashes before it.
    PrintEscaped(Box<EscapedReference>),
    Set(Box<Assignment>),
    If(Box<Choice>),
    Foreach(Box<Foreach>),
    Break,
    Stop,
    /// `#define($name) … #end`.
    Define {
        slot: u32,
        body: Block,
    },
}

#[derive(Debug)]
pub(super) struct EscapedReference {
    pub(super) reference: Reference,
    /// The reference as written, printed when the backslashes are odd in number.
    pub(super) source: Box<str>,
    pub(super) backslashes: usize,
}

#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) target: Reference,
    pub(super) value: Expression,
}

#[derive(Debug)]
pub(super) struct Choice {
    /// `#if` and each `#elseif`.
    pub(super) arms: Vec<(Expression, Block)>,
    pub(super) otherwise: Block,
}

#[derive(Debug)]
pub(super) struct Foreach {
    pub(super) slot: u32,
    pub(super) source: Expression,
    pub(super) body: Block,
}

/// `$x`, followed by any number of properties, calls and indexes.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) slot: u32,
    pub(super) steps: Box<[Step]>,
    /// `identity.sourceIp` for `$context.identity.sourceIp`: set when the root is `$context` and every step is a fixed name,
    /// so that the value is one look-up.
    pub(super) context_path: Option<Box<str>>,
}

#[derive(Debug)]
pub(super) enum Step {
    Property(Box<str>),
    Call(Box<Call>),
    Index(Expression),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: Box<str>,
    pub(super) arguments: Box<[Expression]>,
    /// The compiled path of `$input.json('…')` and `$input.path('…')` when its argument is fixed text.
    pub(super) path: Option<Result<JsonPath, crate::jsonpath::PathError>>,
    /// The compiled pattern of `.replaceAll('…', …)` and the like when it is fixed text.
    pub(super) regex: Option<Result<JavaRegex, RegexError>>,
}

#[derive(Debug)]
pub(super) enum Expression {
    Null,
    Boolean(bool),
    Integer(i64),
    /// An integer beyond 64 bits.
    BigInteger(i128),
    Decimal(f64),
    Text(Box<str>),
    /// A double-quoted string with references or directives in it.
    Interpolated(Block),
    List(Box<[Expression]>),
    Map(Box<[(Expression, Expression)]>),
    Range(Box<(Expression, Expression)>),
    Reference(Reference),
    Not(Box<Expression>),
    /// Operators of one precedence from left to right. Flat, so that a long chain is no deep tree.
    Chain(Box<Chain>),
}

#[derive(Debug)]
pub(super) struct Chain {
    pub(super) first: Expression,
    pub(super) rest: Vec<(Operator, Expression)>,
    pub(super) precedence: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// Higher binds tighter.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Equal | Operator::NotEqual => 3,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => 4,
            Operator::Add | Operator::Subtract => 5,
            Operator::Multiply | Operator::Divide | Operator::Modulo => 6,
        }
    }
}
