//! Expressions and references become values.

use std::rc::Rc;

use super::ast::{Chain, Expression, Operator, Reference, SLOT_CONTEXT, Step};
use super::machine::{Halt, Machine};
use super::value::{Entries, List, Value};
use super::{RenderError, arithmetic};
use crate::document::Json;

impl<'r> Machine<'r> {
    pub(super) fn evaluate(&mut self, expression: &'r Expression) -> Result<Value<'r>, Halt> {
        self.charge(1)?;
        match expression {
            Expression::Null => Ok(Value::Null),
            Expression::Boolean(truth) => Ok(Value::Boolean(*truth)),
            Expression::Integer(number) => Ok(Value::Integer(*number)),
            Expression::BigInteger(number) => Ok(Value::integer(*number)),
            Expression::Decimal(number) => Ok(Value::Decimal(*number)),
            Expression::Text(text) => Ok(Value::Borrowed(text)),
            Expression::Interpolated(block) => self.rendered_text(|machine| machine.block(block)),
            Expression::Reference(reference) => self.reference(reference),
            Expression::List(elements) => self.deeper(|machine| machine.list(elements)),
            Expression::Map(entries) => self.deeper(|machine| machine.map(entries)),
            Expression::Range(bounds) => self.deeper(|machine| machine.range(bounds)),
            Expression::Not(operand) => {
                let truth = self.deeper(|machine| machine.evaluate(operand))?.is_true();
                Ok(Value::Boolean(!truth))
            }
            Expression::Chain(chain) => self.deeper(|machine| machine.chain(chain)),
        }
    }

    fn list(&mut self, elements: &'r [Expression]) -> Result<Value<'r>, Halt> {
        self.charge_bytes(32 + 24 * elements.len())?;
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.push(self.argument(element)?);
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, pairs: &'r [(Expression, Expression)]) -> Result<Value<'r>, Halt> {
        self.charge_bytes(48 + 48 * pairs.len())?;
        let mut entries = Entries::default();
        for (key, value) in pairs {
            let key = self.argument(key)?;
            let value = self.argument(value)?;
            entries.put(if key.is_null() { Value::Borrowed("") } else { key }, value);
        }
        Ok(Value::map(entries))
    }

    fn range(&mut self, bounds: &'r (Expression, Expression)) -> Result<Value<'r>, Halt> {
        let first = self.evaluate(&bounds.0)?.as_integer();
        let last = self.evaluate(&bounds.1)?.as_integer();
        let (Some(first), Some(last)) = (first, last) else { return Ok(Value::Null) };
        let count = usize::try_from((last - first).unsigned_abs()).unwrap_or(usize::MAX).saturating_add(1);
        self.charge(count)?;
        self.charge_bytes(count.saturating_mul(24))?;
        let step = if first <= last { 1 } else { -1 };
        Ok(Value::list((0..count).map(|index| Value::integer(first + step * index as i128)).collect()))
    }

    fn chain(&mut self, chain: &'r Chain) -> Result<Value<'r>, Halt> {
        let mut left = self.evaluate(&chain.first)?;
        for (operator, operand) in &chain.rest {
            left = match operator {
                Operator::And | Operator::Or => {
                    let decided = left.is_true() == (*operator == Operator::Or);
                    Value::Boolean(if decided { left.is_true() } else { self.evaluate(operand)?.is_true() })
                }
                operator => {
                    let right = self.evaluate(operand)?;
                    self.binary(*operator, left, right)?
                }
            };
        }
        Ok(left)
    }

    fn binary(&mut self, operator: Operator, left: Value<'r>, right: Value<'r>) -> Result<Value<'r>, Halt> {
        let value = match operator {
            Operator::Equal => Value::Boolean(self.equal(&left, &right)?),
            Operator::NotEqual => Value::Boolean(!self.equal(&left, &right)?),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                Value::Boolean(arithmetic::ordered(operator, &left, &right))
            }
            Operator::Add if left.as_str().is_some() || right.as_str().is_some() => {
                return self.rendered_text(|machine| {
                    machine.print_value(&left)?;
                    machine.print_value(&right)
                });
            }
            operator => arithmetic::calculate(operator, &left, &right),
        };
        Ok(value)
    }

    /// Java's `equals` with Velocity's leniency: numbers compare by value, different classes by their text. Null equals empty
    /// text.
    pub(super) fn equal(&mut self, left: &Value<'r>, right: &Value<'r>) -> Result<bool, Halt> {
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            return Ok(left == right);
        }
        if let (Some(left), Some(right)) = (left.as_number(), right.as_number()) {
            return Ok(arithmetic::same_number(left, right));
        }
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::Null, other) | (other, Value::Null) => Ok(other.as_str() == Some("")),
            (Value::Boolean(left), Value::Boolean(right)) => Ok(left == right),
            _ => match (self.list_items(left)?, self.list_items(right)?) {
                (Some(left), Some(right)) => self.equal_lists(&left, &right),
                _ => {
                    let left = self.text_of(left)?;
                    let right = self.text_of(right)?;
                    Ok(left.as_str() == right.as_str())
                }
            },
        }
    }

    /// Lists are equal by their elements, whatever they came from.
    fn equal_lists(&mut self, left: &[Value<'r>], right: &[Value<'r>]) -> Result<bool, Halt> {
        if left.len() != right.len() {
            return Ok(false);
        }
        self.deeper(|machine| {
            for (left, right) in left.iter().zip(right) {
                if !machine.equal(left, right)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn list_items(&mut self, value: &Value<'r>) -> Result<Option<Vec<Value<'r>>>, Halt> {
        match value {
            Value::List(_) | Value::Json(Json::Array(_)) => self.elements(value).map(Some),
            _ => Ok(None),
        }
    }

    /// The text that printing the value gives.
    pub(super) fn text_of(&mut self, value: &Value<'r>) -> Result<Value<'r>, Halt> {
        match value {
            Value::Borrowed(_) | Value::Owned(_) => Ok(value.clone()),
            _ => self.rendered_text(|machine| machine.print_value(value)),
        }
    }

    /// An expression whose value goes into a list, a map or a call: a `#define` block goes in as its text.
    pub(super) fn argument(&mut self, expression: &'r Expression) -> Result<Value<'r>, Halt> {
        match self.evaluate(expression)? {
            Value::Block(block) => self.defined_text(block),
            value => Ok(value),
        }
    }

    pub(super) fn reference(&mut self, reference: &'r Reference) -> Result<Value<'r>, Halt> {
        let root = self.slots[reference.slot as usize].clone();
        if let Some(path) = &reference.context_path
            && reference.slot == SLOT_CONTEXT
            && matches!(root, Value::Context)
        {
            return Ok(self.context_value(path));
        }
        let mut value = root;
        for step in &reference.steps {
            if value.is_null() {
                return Ok(Value::Null);
            }
            value = self.step(value, step)?;
        }
        Ok(value)
    }

    pub(super) fn step(&mut self, value: Value<'r>, step: &'r Step) -> Result<Value<'r>, Halt> {
        self.charge(1)?;
        match step {
            Step::Property(name) => self.property(value, name),
            Step::Call(call) => self.deeper(|machine| machine.call(value, call)),
            Step::Index(index) => {
                let index = self.deeper(|machine| machine.evaluate(index))?;
                self.index(value, index)
            }
        }
    }

    fn property(&mut self, value: Value<'r>, name: &'r str) -> Result<Value<'r>, Halt> {
        Ok(match &value {
            Value::Json(Json::Object(members)) => members.get(name).map_or(Value::Null, Value::from_json),
            Value::Map(map) => map.entries.borrow().get_text(name).cloned().unwrap_or(Value::Null),
            Value::Context => self.context_value(name),
            Value::StageVariables => self.stage_variable(name),
            Value::Input if name == "body" => self.body_text(),
            Value::Loop(number) => self.loop_property(*number, name),
            Value::Entry(entry) => match name {
                "key" => entry.0.clone(),
                "value" => entry.1.clone(),
                _ => Value::Null,
            },
            // Java beans: `isEmpty()` is also the property `empty`.
            Value::List(list) if name == "empty" => Value::Boolean(list.items.borrow().is_empty()),
            Value::Json(Json::Array(items)) if name == "empty" => Value::Boolean(items.is_empty()),
            Value::Borrowed(_) | Value::Owned(_) if name == "empty" => {
                Value::Boolean(value.as_str().is_some_and(str::is_empty))
            }
            _ => Value::Null,
        })
    }

    fn loop_property(&self, number: usize, name: &str) -> Value<'r> {
        let Some(running) = self.loops.get(number) else { return Value::Null };
        match name {
            "index" => Value::size(running.index),
            "count" => Value::size(running.index + 1),
            "hasNext" => Value::Boolean(running.has_next),
            "first" => Value::Boolean(running.index == 0),
            "last" => Value::Boolean(!running.has_next),
            "parent" => running.parent.map_or(Value::Null, Value::Loop),
            "topmost" => Value::Loop(0),
            _ => Value::Null,
        }
    }

    pub(super) fn loop_call(&self, number: usize, name: &str) -> Value<'r> {
        let property = match name {
            "hasNext" => "hasNext",
            "getIndex" => "index",
            "getCount" => "count",
            "getHasNext" => "hasNext",
            "isFirst" | "getFirst" => "first",
            "isLast" | "getLast" => "last",
            "getParent" => "parent",
            "getTopmost" => "topmost",
            _ => return Value::Null,
        };
        self.loop_property(number, property)
    }

    /// `$x[index]`: a list's element, from the end when negative, or a map's value. Out of range is null.
    fn index(&mut self, value: Value<'r>, index: Value<'r>) -> Result<Value<'r>, Halt> {
        let place = |length: usize| {
            let index = index.as_integer()?;
            let index = if index < 0 { index + length as i128 } else { index };
            usize::try_from(index).ok()
        };
        Ok(match &value {
            Value::List(list) => {
                let items = list.items.borrow();
                place(items.len()).and_then(|place| items.get(place).cloned()).unwrap_or(Value::Null)
            }
            Value::Json(Json::Array(items)) => {
                place(items.len()).and_then(|place| items.get(place)).map_or(Value::Null, Value::from_json)
            }
            _ => self.get(&value, &index)?,
        })
    }

    /// A map's value for a key.
    pub(super) fn get(&mut self, map: &Value<'r>, key: &Value<'r>) -> Result<Value<'r>, Halt> {
        Ok(match map {
            Value::Map(map) => map.entries.borrow().get(key).cloned().unwrap_or(Value::Null),
            Value::Json(Json::Object(members)) => {
                key.as_str().and_then(|key| members.get(key)).map_or(Value::Null, Value::from_json)
            }
            Value::Context => key.as_str().map_or(Value::Null, |key| self.context_value(key)),
            Value::StageVariables => key.as_str().map_or(Value::Null, |key| self.stage_variable(key)),
            _ => Value::Null,
        })
    }

    /// Refuses to put a container into itself, at any depth: it could neither be printed nor freed.
    pub(super) fn refuse_cycle(&mut self, container: &Value<'r>, inserted: &Value<'r>) -> Result<(), Halt> {
        let target = match container {
            Value::List(list) => Rc::as_ptr(list).cast::<()>(),
            Value::Map(map) => Rc::as_ptr(map).cast::<()>(),
            _ => return Ok(()),
        };
        if !matches!(inserted, Value::List(_) | Value::Map(_) | Value::Entry(_) | Value::Iterator(_)) {
            return Ok(());
        }
        let mut pending = vec![inserted.clone()];
        while let Some(value) = pending.pop() {
            self.charge(1)?;
            match &value {
                Value::List(list) => {
                    if Rc::as_ptr(list).cast::<()>() == target {
                        return Err(RenderError::TooDeep.into());
                    }
                    push_containers(&mut pending, list);
                }
                Value::Map(map) => {
                    if Rc::as_ptr(map).cast::<()>() == target {
                        return Err(RenderError::TooDeep.into());
                    }
                    for (key, value) in map.entries.borrow().iter() {
                        pending.extend([key, value].into_iter().filter(|value| is_container(value)).cloned());
                    }
                }
                Value::Entry(entry) => pending.extend([entry.0.clone(), entry.1.clone()]),
                Value::Iterator(iterator) => pending.push(Value::List(Rc::clone(&iterator.list))),
                _ => {}
            }
        }
        Ok(())
    }
}

fn push_containers<'r>(pending: &mut Vec<Value<'r>>, list: &List<'r>) {
    pending.extend(list.items.borrow().iter().filter(|item| is_container(item)).cloned());
}

fn is_container(value: &Value<'_>) -> bool {
    matches!(value, Value::List(_) | Value::Map(_) | Value::Entry(_) | Value::Iterator(_))
}
