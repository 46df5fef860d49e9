//! The Java methods that templates call. What does not exist is null, as are `getClass()` and its kind.

use std::rc::Rc;

use super::RenderError;
use super::ast::Call;
use super::machine::{Halt, Machine};
use super::value::{Entries, List, ListIterator, Map, Value};
use crate::document::{Json, Members};

impl<'r> Machine<'r> {
    pub(super) fn call(&mut self, receiver: Value<'r>, call: &'r Call) -> Result<Value<'r>, Halt> {
        if matches!(receiver, Value::Input) {
            return self.input_call(call);
        }
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.argument(argument)?);
        }
        if receiver.as_str().is_some() && call.regex.is_some() {
            return self.text_call(&receiver, &call.name, &arguments, call.regex.as_ref());
        }
        self.call_with(receiver, &call.name, &arguments)
    }

    fn call_with(&mut self, receiver: Value<'r>, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        match (name, arguments) {
            ("toString", []) if !receiver.is_null() => return self.text_of(&receiver),
            ("equals", [other]) => return Ok(Value::Boolean(self.java_equals(&receiver, other)?)),
            _ => {}
        }
        match &receiver {
            Value::Util => self.util_call(name, arguments),
            Value::Borrowed(_) | Value::Owned(_) => self.text_call(&receiver, name, arguments, None),
            Value::List(list) => self.list_call(list, name, arguments),
            Value::Map(map) => self.map_call(map, name, arguments),
            Value::Json(Json::Array(items)) => self.json_array_call(items, name, arguments),
            Value::Json(Json::Object(members)) => self.json_object_call(members, name, arguments),
            Value::Context | Value::StageVariables => match (name, arguments) {
                ("get", [key]) => self.get(&receiver, key),
                _ => {
                    let map = self.as_map(&receiver)?;
                    self.call_with(map, name, arguments)
                }
            },
            Value::Integer(_) | Value::BigInteger(_) | Value::Decimal(_) => {
                self.number_call(&receiver, name, arguments)
            }
            Value::Boolean(truth) => self.boolean_call(*truth, name, arguments),
            Value::Entry(entry) => Ok(match (name, arguments) {
                ("getKey", []) => entry.0.clone(),
                ("getValue", []) => entry.1.clone(),
                _ => Value::Null,
            }),
            Value::Iterator(iterator) => Ok(iterator_call(iterator, name)),
            Value::Loop(number) => Ok(self.loop_call(*number, name)),
            Value::Null | Value::Json(_) | Value::Block(_) | Value::Input => Ok(Value::Null),
        }
    }

    /// `Object.equals`: unlike `==`, a number never equals a text.
    fn java_equals(&mut self, left: &Value<'r>, right: &Value<'r>) -> Result<bool, Halt> {
        let same_class = match (left, right) {
            (Value::Boolean(_), Value::Boolean(_)) | (Value::Decimal(_), Value::Decimal(_)) => true,
            _ => {
                (left.as_str().is_some() && right.as_str().is_some())
                    || (left.as_integer().is_some() && right.as_integer().is_some())
                    || (is_list(left) && is_list(right))
                    || (is_map(left) && is_map(right))
            }
        };
        Ok(same_class && self.equal(left, right)?)
    }

    pub(super) fn failed<T>(&self, call: &str, reason: impl Into<String>) -> Result<T, Halt> {
        Err(RenderError::CallFailed { call: call.to_string(), reason: reason.into() }.into())
    }

    fn list_call(&mut self, list: &Rc<List<'r>>, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        if !list_arguments_fit(name, arguments) {
            return Ok(Value::Null);
        }
        match (name, arguments) {
            ("size", []) => Ok(Value::size(list.items.borrow().len())),
            ("isEmpty", []) => Ok(Value::Boolean(list.items.borrow().is_empty())),
            ("get", [index]) => match list_place(index).and_then(|place| list.items.borrow().get(place).cloned()) {
                Some(item) => Ok(item),
                None => self.failed("get", "there is no such element"),
            },
            ("set", [index, value]) => {
                self.refuse_cycle(&Value::List(Rc::clone(list)), value)?;
                self.list_set(list, index, value.clone())
            }
            ("add", [value]) => {
                self.refuse_cycle(&Value::List(Rc::clone(list)), value)?;
                self.charge_bytes(24)?;
                list.items.borrow_mut().push(value.clone());
                Ok(Value::Boolean(true))
            }
            ("add", [index, value]) => self.list_insert(list, index, value),
            ("addAll", [values]) => {
                let end = list.items.borrow().len();
                self.list_add_all(list, end, values)
            }
            ("addAll", [index, values]) => {
                match list_place(index).filter(|place| *place <= list.items.borrow().len()) {
                    Some(place) => self.list_add_all(list, place, values),
                    None => self.failed("addAll", "the index is out of bounds"),
                }
            }
            ("containsAll", [values]) => {
                for value in self.elements(values)? {
                    if self.position(list, &value, false)?.is_none() {
                        return Ok(Value::Boolean(false));
                    }
                }
                Ok(Value::Boolean(true))
            }
            ("removeAll", [values]) => self.list_keep(list, values, false),
            ("retainAll", [values]) => self.list_keep(list, values, true),
            ("remove", [which]) => self.list_remove(list, which),
            ("clear", []) => {
                let items = std::mem::take(&mut *list.items.borrow_mut());
                drop(items);
                Ok(Value::Null)
            }
            ("contains", [value]) => {
                let place = self.position(list, value, false)?;
                Ok(Value::Boolean(place.is_some()))
            }
            ("indexOf", [value]) => Ok(place_or_minus_one(self.position(list, value, false)?)),
            ("lastIndexOf", [value]) => Ok(place_or_minus_one(self.position(list, value, true)?)),
            ("iterator", []) => {
                let list = Rc::clone(list);
                Ok(Value::Iterator(Rc::new(ListIterator { list, next: 0.into() })))
            }
            ("subList", [from, to]) => {
                let items = list.items.borrow();
                let part = list_place(from).zip(list_place(to)).and_then(|(from, to)| items.get(from..to));
                let Some(part) = part else { return self.failed("subList", "the range is out of bounds") };
                self.charge(part.len())?;
                self.charge_bytes(24 * part.len())?;
                Ok(Value::list(part.to_vec()))
            }
            ("toArray", []) => Ok(Value::List(Rc::clone(list))),
            _ => Ok(Value::Null),
        }
    }

    fn list_insert(&mut self, list: &Rc<List<'r>>, index: &Value<'r>, value: &Value<'r>) -> Result<Value<'r>, Halt> {
        self.refuse_cycle(&Value::List(Rc::clone(list)), value)?;
        let length = list.items.borrow().len();
        let Some(place) = list_place(index).filter(|place| *place <= length) else {
            return self.failed("add", "the index is out of bounds");
        };
        self.charge(1 + (length - place) / 64)?;
        self.charge_bytes(24)?;
        list.items.borrow_mut().insert(place, value.clone());
        Ok(Value::Null)
    }

    fn list_add_all(&mut self, list: &Rc<List<'r>>, place: usize, values: &Value<'r>) -> Result<Value<'r>, Halt> {
        let added = self.elements(values)?;
        for value in &added {
            self.refuse_cycle(&Value::List(Rc::clone(list)), value)?;
        }
        self.charge(1 + (list.items.borrow().len() - place) / 64)?;
        self.charge_bytes(24 * added.len())?;
        let changed = !added.is_empty();
        list.items.borrow_mut().splice(place..place, added);
        Ok(Value::Boolean(changed))
    }

    /// Keeps the elements that are in the other list, or those that are not.
    fn list_keep(&mut self, list: &Rc<List<'r>>, values: &Value<'r>, present: bool) -> Result<Value<'r>, Halt> {
        let others = self.elements(values)?;
        let others = Rc::new(List { items: others.into(), ..List::default() });
        let items = list.items.borrow().clone();
        let before = items.len();
        let mut kept = Vec::with_capacity(before);
        for item in items {
            if self.position(&others, &item, false)?.is_some() == present {
                kept.push(item);
            }
        }
        let changed = kept.len() < before;
        *list.items.borrow_mut() = kept;
        Ok(Value::Boolean(changed))
    }

    /// `remove(index)` returns the element, `remove(object)` whether it was there.
    fn list_remove(&mut self, list: &Rc<List<'r>>, which: &Value<'r>) -> Result<Value<'r>, Halt> {
        let length = list.items.borrow().len();
        self.charge(1 + length / 64)?;
        if which.as_integer().is_some() {
            return match list_place(which).filter(|place| *place < length) {
                Some(place) => Ok(list.items.borrow_mut().remove(place)),
                None => self.failed("remove", "the index is out of bounds"),
            };
        }
        let place = self.position(list, which, false)?;
        if let Some(place) = place {
            list.items.borrow_mut().remove(place);
        }
        Ok(Value::Boolean(place.is_some()))
    }

    fn position(&mut self, list: &Rc<List<'r>>, value: &Value<'r>, from_end: bool) -> Result<Option<usize>, Halt> {
        let length = list.items.borrow().len();
        for offset in 0..length {
            self.charge(1)?;
            let place = if from_end { length - 1 - offset } else { offset };
            let item = list.items.borrow().get(place).cloned().unwrap_or(Value::Null);
            let same = if item.is_null() { value.is_null() } else { self.java_equals(&item, value)? };
            if same {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The elements of a list or the values of a map.
    pub(super) fn elements(&mut self, value: &Value<'r>) -> Result<Vec<Value<'r>>, Halt> {
        let elements: Vec<Value<'r>> = match value {
            Value::List(list) => list.items.borrow().clone(),
            Value::Json(Json::Array(items)) => items.iter().map(Value::from_json).collect(),
            _ => Vec::new(),
        };
        self.charge(elements.len())?;
        Ok(elements)
    }

    fn map_call(&mut self, map: &Rc<Map<'r>>, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        match (name, arguments) {
            ("get", [key]) => Ok(map.entries.borrow().get(key).cloned().unwrap_or(Value::Null)),
            ("getOrDefault", [key, other]) => Ok(map.entries.borrow().get(key).unwrap_or(other).clone()),
            ("put", [key, value]) => self.map_put(map, key, value),
            ("putIfAbsent", [key, value]) => {
                let present = map.entries.borrow().get(key).cloned();
                match present {
                    Some(present) if !present.is_null() => Ok(present),
                    _ => self.map_put(map, key, value),
                }
            }
            ("putAll", [other]) => {
                for (key, value) in self.pairs(other)? {
                    self.map_put(map, &key, &value)?;
                }
                Ok(Value::Null)
            }
            ("remove", [key]) => {
                let length = map.entries.borrow().len();
                self.charge(1 + length / 16)?;
                Ok(map.entries.borrow_mut().remove(key).unwrap_or(Value::Null))
            }
            ("clear", []) => {
                map.entries.borrow_mut().clear();
                Ok(Value::Null)
            }
            ("replace", [key, value]) => {
                let present = map.entries.borrow().get(key).is_some();
                if present { self.map_put(map, key, value) } else { Ok(Value::Null) }
            }
            ("containsKey", [key]) => Ok(Value::Boolean(map.entries.borrow().get(key).is_some())),
            ("size", []) => Ok(Value::size(map.entries.borrow().len())),
            ("isEmpty", []) => Ok(Value::Boolean(map.entries.borrow().len() == 0)),
            _ => self.map_view(&Value::Map(Rc::clone(map)), name, arguments),
        }
    }

    fn map_put(&mut self, map: &Rc<Map<'r>>, key: &Value<'r>, value: &Value<'r>) -> Result<Value<'r>, Halt> {
        let container = Value::Map(Rc::clone(map));
        self.refuse_cycle(&container, value)?;
        self.refuse_cycle(&container, key)?;
        self.refuse_second_override(map, key, value)?;
        self.charge_bytes(96)?;
        Ok(map.entries.borrow_mut().put(key.clone(), value.clone()).unwrap_or(Value::Null))
    }

    /// The keys and values of any map.
    fn pairs(&mut self, map: &Value<'r>) -> Result<Vec<(Value<'r>, Value<'r>)>, Halt> {
        let pairs: Vec<_> = match map {
            Value::Map(map) => map.entries.borrow().iter().cloned().collect(),
            Value::Json(Json::Object(members)) => {
                members.iter().map(|(key, value)| (Value::Borrowed(key), Value::from_json(value))).collect()
            }
            Value::Context | Value::StageVariables => {
                let map = self.as_map(map)?;
                return self.pairs(&map);
            }
            _ => Vec::new(),
        };
        self.charge(pairs.len())?;
        self.charge_bytes(48 * pairs.len())?;
        Ok(pairs)
    }

    /// `keySet()`, `values()`, `entrySet()` and `containsValue(…)` of any map.
    fn map_view(&mut self, map: &Value<'r>, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        let view = match (name, arguments) {
            ("keySet", []) => self.pairs(map)?.into_iter().map(|(key, _)| key).collect(),
            ("values", []) => self.pairs(map)?.into_iter().map(|(_, value)| value).collect(),
            ("entrySet", []) => {
                let pairs = self.pairs(map)?;
                self.charge_bytes(64 * pairs.len())?;
                pairs.into_iter().map(|pair| Value::Entry(Rc::new(pair))).collect()
            }
            ("containsValue", [value]) => {
                for (_, present) in self.pairs(map)? {
                    if self.java_equals(&present, value)? {
                        return Ok(Value::Boolean(true));
                    }
                }
                return Ok(Value::Boolean(false));
            }
            _ => return Ok(Value::Null),
        };
        Ok(Value::list(view))
    }

    fn json_array_call(
        &mut self,
        items: &'r [Json<'r>],
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Value<'r>, Halt> {
        if !list_arguments_fit(name, arguments) {
            return Ok(Value::Null);
        }
        match (name, arguments) {
            ("size", []) => Ok(Value::size(items.len())),
            ("isEmpty", []) => Ok(Value::Boolean(items.is_empty())),
            ("get", [index]) => match list_place(index).and_then(|place| items.get(place)) {
                Some(item) => Ok(Value::from_json(item)),
                None => self.failed("get", "there is no such element"),
            },
            // The rest is rarer: it works on a list of the elements.
            _ => {
                self.charge(items.len())?;
                self.charge_bytes(24 * items.len())?;
                let items = items.iter().map(Value::from_json).collect::<Vec<_>>();
                self.list_call(&Rc::new(List { from_json: true, items: items.into() }), name, arguments)
            }
        }
    }

    fn json_object_call(
        &mut self,
        members: &'r Members<'r>,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Value<'r>, Halt> {
        let member = |key: &Value<'_>| key.as_str().and_then(|key| members.get(key)).map(Value::from_json);
        match (name, arguments) {
            ("get", [key]) => Ok(member(key).unwrap_or(Value::Null)),
            ("getOrDefault", [key, other]) => Ok(member(key).unwrap_or_else(|| other.clone())),
            ("containsKey", [key]) => Ok(Value::Boolean(member(key).is_some())),
            ("size", []) => Ok(Value::size(members.len())),
            ("isEmpty", []) => Ok(Value::Boolean(members.is_empty())),
            ("keySet", []) => {
                self.charge(members.len())?;
                self.charge_bytes(24 * members.len())?;
                Ok(Value::list(members.iter().map(|(key, _)| Value::Borrowed(key)).collect()))
            }
            _ => {
                let mut entries = Entries::default();
                self.charge(members.len())?;
                self.charge_bytes(48 * members.len())?;
                for (key, value) in members.iter() {
                    entries.put(Value::Borrowed(key), Value::from_json(value));
                }
                let map = Rc::new(Map { entries: entries.into() });
                self.map_view(&Value::Map(map), name, arguments)
            }
        }
    }
}

fn iterator_call<'r>(iterator: &Rc<ListIterator<'r>>, name: &str) -> Value<'r> {
    let next = iterator.next.get();
    let item = iterator.list.items.borrow().get(next).cloned();
    match name {
        "hasNext" => Value::Boolean(item.is_some()),
        "next" => {
            iterator.next.set(next + usize::from(item.is_some()));
            item.unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

/// Whether Java's lists have such a method for arguments of these kinds; a call that does not fit is null.
fn list_arguments_fit(name: &str, arguments: &[Value<'_>]) -> bool {
    match (name, arguments) {
        ("get", [index]) | ("set" | "add", [index, _]) => index.as_integer().is_some(),
        ("subList", [from, to]) => from.as_integer().is_some() && to.as_integer().is_some(),
        _ => true,
    }
}

fn list_place(index: &Value<'_>) -> Option<usize> {
    index.as_integer().and_then(|index| usize::try_from(index).ok())
}

fn place_or_minus_one<'r>(place: Option<usize>) -> Value<'r> {
    place.map_or(Value::Integer(-1), Value::size)
}

fn is_list(value: &Value<'_>) -> bool {
    matches!(value, Value::List(_) | Value::Json(Json::Array(_)))
}

fn is_map(value: &Value<'_>) -> bool {
    matches!(value, Value::Map(_) | Value::Json(Json::Object(_)))
}
