//! `String.format`: what of Java's formatter templates can use.

use super::RenderError;
use super::machine::{Halt, Machine};
use super::print::print;
use super::value::Value;

/// The widest field and the highest precision.
const MAX_WIDTH: usize = 1000;
const MAX_PRECISION: usize = 100;

impl<'r> Machine<'r> {
    /// `%s %S %d %x %X %o %f %e %E %b %B %c %h %n %%` with an argument's number (`%2$s`), the flags `- 0 , + ( #` and blank, a width and
    /// a precision.
    pub(super) fn format(&mut self, pattern: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        // `$s.format("%s", $x)` calls the static method: the first argument is the pattern, the receiver is not used.
        let (pattern, arguments) = match arguments {
            [first, rest @ ..] if first.as_str().is_some_and(|text| text.contains('%')) => {
                (first.as_str().unwrap_or_default().to_string(), rest)
            }
            _ => (pattern.to_string(), arguments),
        };
        // A list stands for the arguments that it holds, as Java's variable arguments do.
        let spread = match arguments {
            [list @ (Value::List(_) | Value::Json(crate::document::Json::Array(_)))] => Some(self.elements(list)?),
            _ => None,
        };
        let arguments = spread.as_deref().unwrap_or(arguments);
        let mut out = String::new();
        let mut next = 0;
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let Some(specifier) = Specifier::read(after) else {
                return self.failed("format", "the format is not known");
            };
            rest = &after[specifier.length..];
            match specifier.conversion {
                '%' => out.push_str(&specifier.pad("%".to_string())),
                'n' => out.push('\n'),
                _ => {
                    let place = specifier.argument.unwrap_or_else(|| {
                        next += 1;
                        next - 1
                    });
                    let Some(argument) = arguments.get(place) else {
                        return self.failed("format", "an argument is missing");
                    };
                    let Some(text) = specifier.apply(argument, self.limits.output_bytes)? else {
                        return self.failed("format", "the argument does not fit the format");
                    };
                    out.push_str(&text);
                }
            }
            if out.len() > self.limits.output_bytes {
                return Err(RenderError::OutputTooLarge { limit: self.limits.output_bytes }.into());
            }
            self.charge(1 + out.len() / 1024)?;
        }
        out.push_str(rest);
        self.new_text(out)
    }
}

/// One `%…` of a format.
#[derive(Default)]
struct Specifier {
    /// The argument that is named by its number, from 0.
    argument: Option<usize>,
    left: bool,
    zero: bool,
    grouped: bool,
    plus: bool,
    blank: bool,
    parentheses: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    length: usize,
}

impl Specifier {
    fn read(text: &str) -> Option<Specifier> {
        let bytes = text.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut specifier = Specifier::default();
        let mut length = 0;
        let number = digits(0);
        if number > 0 && bytes.get(number) == Some(&b'$') {
            specifier.argument = Some(text[..number].parse::<usize>().ok()?.checked_sub(1)?);
            length = number + 1;
        }
        while let Some(flag) = bytes.get(length) {
            match flag {
                b'-' => specifier.left = true,
                b'0' => specifier.zero = true,
                b',' => specifier.grouped = true,
                b'+' => specifier.plus = true,
                b' ' => specifier.blank = true,
                b'(' => specifier.parentheses = true,
                b'#' => specifier.alternate = true,
                _ => break,
            }
            length += 1;
        }
        let width = digits(length);
        if width > 0 {
            specifier.width = text[length..length + width].parse().ok()?;
        }
        length += width;
        if bytes.get(length) == Some(&b'.') {
            let count = digits(length + 1);
            specifier.precision = Some(text[length + 1..length + 1 + count].parse().ok()?);
            length += 1 + count;
        }
        specifier.conversion = text[length..].chars().next()?;
        specifier.length = length + specifier.conversion.len_utf8();
        let fits =
            specifier.width <= MAX_WIDTH && specifier.precision.is_none_or(|precision| precision <= MAX_PRECISION);
        fits.then_some(specifier)
    }

    /// The formatted argument; `None` when it does not fit the conversion.
    fn apply(&self, argument: &Value<'_>, limit: usize) -> Result<Option<String>, RenderError> {
        let formatted = match self.conversion {
            's' | 'S' | 'h' => {
                let mut text = String::new();
                print(argument, &mut text, limit)?;
                if let Some(precision) = self.precision {
                    text = text.chars().take(precision).collect();
                }
                Some(if self.conversion == 'S' { text.to_uppercase() } else { text })
            }
            'd' => argument.as_integer().map(|number| self.signed(&number.unsigned_abs().to_string(), number < 0)),
            'x' | 'X' | 'o' => argument.as_integer().map(|number| self.bits(number)),
            'f' => match argument {
                Value::Decimal(number) => Some(self.fixed(*number)),
                _ => None,
            },
            'e' | 'E' => match argument {
                Value::Decimal(number) => Some(self.scientific(*number)),
                _ => None,
            },
            'b' | 'B' => {
                let truth = !matches!(argument, Value::Null | Value::Boolean(false));
                Some(if self.conversion == 'B' { truth.to_string().to_uppercase() } else { truth.to_string() })
            }
            'c' => match argument {
                Value::Integer(code) => u32::try_from(*code).ok().and_then(char::from_u32).map(String::from),
                other => other.as_str().and_then(|text| text.chars().next()).map(String::from),
            },
            _ => None,
        };
        Ok(formatted.map(|text| self.pad(text)))
    }

    fn signed(&self, digits: &str, negative: bool) -> String {
        let digits = if self.grouped { grouped(digits) } else { digits.to_string() };
        match negative {
            true if self.parentheses => format!("({digits})"),
            true => format!("-{digits}"),
            false if self.plus => format!("+{digits}"),
            false if self.blank => format!(" {digits}"),
            false => digits,
        }
    }

    fn bits(&self, number: i128) -> String {
        let bits = i32::try_from(number).map_or(number as u64, |small| u64::from(small as u32));
        match (self.conversion, self.alternate) {
            ('x', false) => format!("{bits:x}"),
            ('x', true) => format!("0x{bits:x}"),
            ('X', false) => format!("{bits:X}"),
            ('X', true) => format!("0X{bits:X}"),
            (_, false) => format!("{bits:o}"),
            (_, true) => format!("0{bits:o}"),
        }
    }

    fn fixed(&self, number: f64) -> String {
        if !number.is_finite() {
            return self.not_finite(number);
        }
        self.signed(&rounded(number.abs(), self.precision.unwrap_or(6)), number.is_sign_negative())
    }

    fn scientific(&self, number: f64) -> String {
        if !number.is_finite() {
            return self.not_finite(number);
        }
        let text = format!("{:.*e}", self.precision.unwrap_or(6), number.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        let text = self.signed(&format!("{digits}e{sign}{exponent:0>2}"), number.is_sign_negative());
        if self.conversion == 'E' { text.to_uppercase() } else { text }
    }

    fn not_finite(&self, number: f64) -> String {
        if number.is_nan() { "NaN".to_string() } else { self.signed("Infinity", number < 0.0) }
    }

    fn pad(&self, text: String) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            return text + &" ".repeat(missing);
        }
        if !self.zero {
            return " ".repeat(missing) + &text;
        }
        // Zeros stand after the sign.
        let digits = text.find(|character: char| character.is_ascii_alphanumeric()).unwrap_or(0);
        format!("{}{}{}", &text[..digits], "0".repeat(missing), &text[digits..])
    }
}

/// A number that is not negative, with so many digits after the point. As Java, a half is rounded up, and what is rounded are
/// the digits that printing the number shows.
fn rounded(number: f64, precision: usize) -> String {
    // `{}` never gives an exponent.
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut digits: Vec<u8> =
        whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(precision)).collect();
    if fraction.as_bytes().get(precision).is_some_and(|next| *next >= b'5') {
        let mut carry = true;
        for digit in digits.iter_mut().rev() {
            carry = *digit == b'9';
            *digit = if carry { b'0' } else { *digit + 1 };
            if !carry {
                break;
            }
        }
        if carry {
            digits.insert(0, b'1');
        }
    }
    let point = digits.len() - precision;
    let mut out: String = digits.iter().copied().map(char::from).collect();
    if precision > 0 {
        out.insert(point, '.');
    }
    out
}

/// Digits with a comma before each three of the whole part.
fn grouped(digits: &str) -> String {
    let whole = digits.find(['.', 'e']).unwrap_or(digits.len());
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits[..whole].chars().enumerate() {
        if place > 0 && (whole - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + &digits[whole..]
}
