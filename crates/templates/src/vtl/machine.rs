//! Walks the compiled template and appends to the output.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use super::ast::{
    Assignment, BUILT_IN_NAMES, Block, EscapedReference, Expression, Foreach, Node, Reference, SLOT_CONTEXT,
    SLOT_FOREACH, SLOT_INPUT, SLOT_STAGE_VARIABLES, SLOT_UTIL, SLOT_VELOCITY_COUNT, SLOT_VELOCITY_HAS_NEXT, Step,
};
use super::print::print;
use super::value::{List, Map, Value};
use super::{Limits, RenderError, Rendered, Scope, Template};
use crate::document::{Json, Members, push_double};

/// How often a `#define` block may be inside itself; deeper uses print nothing, as in Velocity.
const MAX_DEFINE_RECURSION: usize = 2;

/// Why the normal order of statements is left.
#[derive(Debug)]
pub(super) enum Halt {
    /// `#break`: up to the loop or block around it.
    Break,
    /// `#stop`: the output ends here.
    Stop,
    Error(RenderError),
}

impl From<RenderError> for Halt {
    fn from(error: RenderError) -> Halt {
        Halt::Error(error)
    }
}

/// A running `#foreach`.
pub(super) struct Loop {
    pub(super) index: usize,
    pub(super) has_next: bool,
    pub(super) parent: Option<usize>,
}

pub(super) struct Machine<'r> {
    pub(super) template: &'r Template,
    pub(super) scope: &'r Scope<'r>,
    pub(super) limits: &'r Limits,
    pub(super) slots: Vec<Value<'r>>,
    pub(super) out: String,
    pub(super) loops: Vec<Loop>,
    steps_left: u64,
    bytes_left: usize,
    /// The time that searches with regular expressions may still take.
    pub(super) search_time_left: Duration,
    depth: usize,
    active_blocks: Vec<*const Block>,
    /// The body as JSON, parsed at first use; `None` when it is none.
    pub(super) body: &'r OnceCell<Option<Json<'r>>>,
    pub(super) context_tree: &'r OnceCell<Json<'static>>,
    /// `$context.requestOverride` and `responseOverride`, made at first use.
    pub(super) overrides: Option<(Rc<Map<'r>>, Rc<Map<'r>>)>,
    /// The parameters that this template has overridden.
    pub(super) overridden: Vec<String>,
}

pub(super) fn render(template: &Template, scope: &Scope<'_>, limits: &Limits) -> Result<Rendered, RenderError> {
    let body = OnceCell::new();
    let context_tree = OnceCell::new();
    let mut slots = vec![Value::Null; template.slots.max(BUILT_IN_NAMES.len())];
    slots[SLOT_INPUT as usize] = Value::Input;
    slots[SLOT_UTIL as usize] = Value::Util;
    slots[SLOT_CONTEXT as usize] = Value::Context;
    slots[SLOT_STAGE_VARIABLES as usize] = Value::StageVariables;
    let mut machine = Machine {
        template,
        scope,
        limits,
        slots,
        out: String::with_capacity(256),
        loops: Vec::new(),
        steps_left: limits.steps,
        bytes_left: limits.value_bytes,
        search_time_left: limits.search_time,
        depth: 0,
        active_blocks: Vec::new(),
        body: &body,
        context_tree: &context_tree,
        overrides: None,
        overridden: Vec::new(),
    };
    match machine.block(&template.body) {
        Ok(()) | Err(Halt::Stop | Halt::Break) => {}
        Err(Halt::Error(error)) => return Err(error),
    }
    let overrides = machine.finished_overrides()?;
    Ok(Rendered { text: machine.out, overrides })
}

impl<'r> Machine<'r> {
    /// Counts work that is done.
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), RenderError> {
        match self.steps_left.checked_sub(steps as u64) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(RenderError::TooManySteps { limit: self.limits.steps }),
        }
    }

    /// Counts memory that the template's values take. It is not given back: the sum over a rendering is what is bounded.
    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), RenderError> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                Ok(())
            }
            None => Err(RenderError::OutOfMemory { limit: self.limits.value_bytes }),
        }
    }

    pub(super) fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, Halt>) -> Result<T, Halt> {
        if self.depth >= self.limits.depth {
            return Err(RenderError::TooDeep.into());
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    pub(super) fn block(&mut self, block: &'r Block) -> Result<(), Halt> {
        self.deeper(|machine| block.iter().try_for_each(|node| machine.node(node)))
    }

    fn node(&mut self, node: &'r Node) -> Result<(), Halt> {
        self.charge(1)?;
        match node {
            Node::Text(text) => {
                self.out.push_str(text);
                self.check_output()?;
            }
            Node::Print(reference) => self.print_reference(reference)?,
            Node::PrintEscaped(escaped) => self.print_escaped(escaped)?,
            Node::Set(assignment) => self.set(assignment)?,
            Node::If(choice) => {
                for (condition, block) in &choice.arms {
                    if self.evaluate(condition)?.is_true() {
                        return self.block(block);
                    }
                }
                return self.block(&choice.otherwise);
            }
            Node::Foreach(foreach) => self.foreach(foreach)?,
            Node::Break => return Err(Halt::Break),
            Node::Stop => return Err(Halt::Stop),
            Node::Define { slot, body } => self.slots[*slot as usize] = Value::Block(body),
        }
        Ok(())
    }

    fn check_output(&self) -> Result<(), RenderError> {
        if self.out.len() > self.limits.output_bytes {
            return Err(RenderError::OutputTooLarge { limit: self.limits.output_bytes });
        }
        Ok(())
    }

    fn print_reference(&mut self, reference: &'r Reference) -> Result<(), Halt> {
        if let Some(path) = &reference.context_path
            && matches!(self.slots[SLOT_CONTEXT as usize], Value::Context)
            && let Some(text) = self.context_text(path)
        {
            self.out.push_str(&text);
            return Ok(self.check_output()?);
        }
        if !reference.steps.is_empty() {
            let value = self.reference(reference)?;
            return self.print_value(&value);
        }
        // The common case, a plain variable, is printed without cloning it.
        match &self.slots[reference.slot as usize] {
            Value::Null => {}
            Value::Borrowed(text) => self.out.push_str(text),
            Value::Owned(text) => self.out.push_str(text),
            Value::Integer(number) => self.out.push_str(itoa::Buffer::new().format(*number)),
            Value::Decimal(number) => push_double(&mut self.out, *number),
            Value::Block(block) => {
                let block = *block;
                return self.defined(block);
            }
            _ => {
                let value = self.slots[reference.slot as usize].clone();
                return self.print_value(&value);
            }
        }
        Ok(self.check_output()?)
    }

    pub(super) fn print_value(&mut self, value: &Value<'r>) -> Result<(), Halt> {
        match value {
            Value::Null => Ok(()),
            Value::Block(block) => self.defined(block),
            // The maps of `$context` print as empty text; what is in them prints.
            Value::Map(map) if self.is_override_map(map) || self.is_override_place(map) => Ok(()),
            Value::Json(json) if self.is_identity(json) => Ok(()),
            Value::Context | Value::StageVariables => {
                let value = self.as_map(value)?;
                Ok(print(&value, &mut self.out, self.limits.output_bytes)?)
            }
            _ => {
                print(value, &mut self.out, self.limits.output_bytes)?;
                Ok(self.check_output()?)
            }
        }
    }

    /// Each pair of backslashes prints one; an odd one makes a reference to something defined print as it is written.
    fn print_escaped(&mut self, escaped: &'r EscapedReference) -> Result<(), Halt> {
        let value = self.reference(&escaped.reference)?;
        let is_literal = escaped.backslashes % 2 == 1;
        let mut printed = escaped.backslashes / 2;
        if value.is_null() {
            // Backslashes before nothing escape nothing.
            printed = escaped.backslashes;
        }
        self.out.extend(std::iter::repeat_n('\\', printed));
        if is_literal {
            self.out.push_str(&escaped.source);
            return Ok(self.check_output()?);
        }
        self.print_value(&value)
    }

    /// Renders what `#define` named.
    fn defined(&mut self, block: &'r Block) -> Result<(), Halt> {
        let address = std::ptr::from_ref(block);
        let inside_itself = self.active_blocks.iter().filter(|active| **active == address).count();
        if inside_itself >= MAX_DEFINE_RECURSION {
            return Ok(());
        }
        self.active_blocks.push(address);
        let result = self.block(block);
        self.active_blocks.pop();
        match result {
            Err(Halt::Break) => Ok(()),
            other => other,
        }
    }

    /// Renders into a text of its own: interpolated strings, and `#define` blocks used as values.
    pub(super) fn rendered_text(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Halt>) -> Result<Value<'r>, Halt> {
        let outer = std::mem::take(&mut self.out);
        let result = run(self);
        let text = std::mem::replace(&mut self.out, outer);
        result?;
        self.charge_bytes(text.len())?;
        Ok(Value::Owned(text.into()))
    }

    pub(super) fn defined_text(&mut self, block: &'r Block) -> Result<Value<'r>, Halt> {
        self.rendered_text(|machine| machine.defined(block))
    }

    fn set(&mut self, assignment: &'r Assignment) -> Result<(), Halt> {
        let value = self.evaluate(&assignment.value)?;
        let target = &assignment.target;
        let Some((last, before)) = target.steps.split_last() else {
            self.slots[target.slot as usize] = value;
            return Ok(());
        };
        let mut container = self.slots[target.slot as usize].clone();
        for step in before {
            container = self.step(container, step)?;
        }
        let key = match last {
            Step::Property(name) => Value::Borrowed(name),
            Step::Index(index) => self.evaluate(index)?,
            Step::Call(_) => return Ok(()),
        };
        self.put(&container, key, value)
    }

    /// Assigns a member; what is no map and no list is left as it is.
    fn put(&mut self, container: &Value<'r>, key: Value<'r>, value: Value<'r>) -> Result<(), Halt> {
        self.refuse_cycle(container, &value)?;
        self.charge_bytes(48)?;
        match container {
            Value::Map(map) => {
                let key = if key.is_null() { Value::Borrowed("") } else { key };
                self.refuse_second_override(map, &key, &value)?;
                map.entries.borrow_mut().put(key, value);
                Ok(())
            }
            // Lists have no members but their elements.
            Value::List(list) if key.as_integer().is_some() => self.list_set(list, &key, value).map(|_| ()),
            _ => Ok(()),
        }
    }

    pub(super) fn list_set(
        &mut self,
        list: &Rc<List<'r>>,
        index: &Value<'r>,
        value: Value<'r>,
    ) -> Result<Value<'r>, Halt> {
        let mut items = list.items.borrow_mut();
        let place = index.as_integer().and_then(|index| usize::try_from(index).ok());
        match place.and_then(|place| items.get_mut(place)) {
            Some(item) => Ok(std::mem::replace(item, value)),
            None => {
                let reason = format!("the list has {} elements", items.len());
                Err(RenderError::CallFailed { call: "set".to_string(), reason }.into())
            }
        }
    }

    fn foreach(&mut self, foreach: &'r Foreach) -> Result<(), Halt> {
        let mut items = match &foreach.source {
            Expression::Range(bounds) => self.range_items(bounds)?,
            source => {
                let value = self.evaluate(source)?;
                self.items(value)?
            }
        };
        if items.is_empty() {
            return Ok(());
        }
        let slots = [foreach.slot, SLOT_FOREACH, SLOT_VELOCITY_COUNT, SLOT_VELOCITY_HAS_NEXT].map(|slot| slot as usize);
        let saved = slots.map(|slot| std::mem::replace(&mut self.slots[slot], Value::Null));
        let parent = match saved[1] {
            Value::Loop(number) => Some(number),
            _ => None,
        };
        let number = self.loops.len();
        self.loops.push(Loop { index: 0, has_next: false, parent });
        let result = self.turns(foreach, number, &mut items);
        self.loops.pop();
        for (slot, value) in slots.into_iter().zip(saved) {
            self.slots[slot] = value;
        }
        match result {
            Err(Halt::Break) => Ok(()),
            other => other,
        }
    }

    fn turns(&mut self, foreach: &'r Foreach, number: usize, items: &mut Items<'r>) -> Result<(), Halt> {
        let mut index = 0;
        while index < self.limits.loop_turns
            && let Some(item) = items.next(index)
        {
            self.charge(1)?;
            let has_next = items.has_next(index);
            self.loops[number].index = index;
            self.loops[number].has_next = has_next;
            self.slots[foreach.slot as usize] = item;
            self.slots[SLOT_FOREACH as usize] = Value::Loop(number);
            self.slots[SLOT_VELOCITY_COUNT as usize] = Value::size(index + 1);
            self.slots[SLOT_VELOCITY_HAS_NEXT as usize] = Value::Boolean(has_next);
            self.block(&foreach.body)?;
            index += 1;
        }
        Ok(())
    }

    fn range_items(&mut self, bounds: &'r (Expression, Expression)) -> Result<Items<'r>, Halt> {
        let first = self.evaluate(&bounds.0)?.as_integer();
        let last = self.evaluate(&bounds.1)?.as_integer();
        let (Some(first), Some(last)) = (first, last) else { return Ok(Items::List(Rc::new(List::default()))) };
        let count = usize::try_from((last - first).unsigned_abs()).unwrap_or(usize::MAX).saturating_add(1);
        Ok(Items::Range { first, step: if first <= last { 1 } else { -1 }, count })
    }

    /// What `#foreach` goes through: elements, a map's values, nothing for everything else.
    fn items(&mut self, value: Value<'r>) -> Result<Items<'r>, Halt> {
        Ok(match value {
            Value::List(list) => Items::List(list),
            Value::Json(Json::Array(items)) => Items::Json(items),
            Value::Json(Json::Object(members)) => Items::Members(members),
            Value::Map(map) => Items::Map(map),
            Value::Context | Value::StageVariables => {
                let map = self.as_map(&value)?;
                return self.items(map);
            }
            Value::Iterator(iterator) => {
                let next = iterator.next.get();
                let rest: Vec<_> = iterator.list.items.borrow().iter().skip(next).cloned().collect();
                iterator.next.set(next + rest.len());
                self.charge(rest.len())?;
                Items::List(Rc::new(List { items: rest.into(), ..List::default() }))
            }
            _ => Items::List(Rc::new(List::default())),
        })
    }
}

/// What a loop goes through, without copying it.
enum Items<'r> {
    Range { first: i128, step: i128, count: usize },
    List(Rc<List<'r>>),
    Json(&'r [Json<'r>]),
    Map(Rc<Map<'r>>),
    Members(&'r Members<'r>),
}

impl<'r> Items<'r> {
    fn is_empty(&self) -> bool {
        match self {
            Items::Range { .. } => false,
            Items::List(list) => list.items.borrow().is_empty(),
            Items::Json(items) => items.is_empty(),
            Items::Map(map) => map.entries.borrow().len() == 0,
            Items::Members(members) => members.is_empty(),
        }
    }

    fn next(&mut self, index: usize) -> Option<Value<'r>> {
        match self {
            Items::Range { first, step, count } => {
                (index < *count).then(|| Value::integer(*first + *step * index as i128))
            }
            Items::List(list) => list.items.borrow().get(index).cloned(),
            Items::Json(items) => items.get(index).map(Value::from_json),
            Items::Map(map) => map.entries.borrow().at(index).map(|(_, value)| value.clone()),
            Items::Members(members) => members.at(index).map(|(_, value)| Value::from_json(value)),
        }
    }

    fn has_next(&self, index: usize) -> bool {
        match self {
            Items::Range { count, .. } => index + 1 < *count,
            Items::List(list) => index + 1 < list.items.borrow().len(),
            Items::Json(items) => index + 1 < items.len(),
            Items::Map(map) => index + 1 < map.entries.borrow().len(),
            Items::Members(members) => index + 1 < members.len(),
        }
    }
}
