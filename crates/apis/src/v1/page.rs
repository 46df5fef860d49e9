//! Paging of lists: `limit` and `position` in, one page and the next position out.

use base::shape::{base64_decode, base64_encode};

use crate::refusal::{Answer, Refusal};

/// AWS's page size where the caller names none.
const DEFAULT_LIMIT: usize = 25;
/// The largest page that AWS gives.
const MAXIMUM_LIMIT: usize = 500;

/// Cuts one page out of `items`, which are in the order of their keys: those after `position`, at most `limit`.
/// Returns it with the position of the next page, if there is one.
pub(super) fn page<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    position: Option<&str>,
    limit: Option<i32>,
) -> Answer<(Vec<T>, Option<String>)> {
    let limit = match limit {
        None | Some(0) => DEFAULT_LIMIT,
        Some(limit) => usize::try_from(limit).unwrap_or(DEFAULT_LIMIT).min(MAXIMUM_LIMIT),
    };
    let start = match position {
        None | Some("") => 0,
        Some(position) => {
            let after = decode(position)?;
            items.partition_point(|item| key(item) <= after)
        }
    };
    let more = items.len() > start + limit;
    let page: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next = page.last().filter(|_| more).map(|last| base64_encode(key(last).as_bytes()));
    Ok((page, next))
}

fn decode(position: &str) -> Answer<String> {
    let bytes = base64_decode(position).ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    bytes.ok_or_else(|| Refusal::bad_request("Invalid position parameter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_a_list_page_by_page() {
        let items: Vec<String> = (0..60).map(|number| format!("/{number:02}")).collect();
        let (mut seen, mut position, mut pages) = (Vec::new(), None, 0);
        loop {
            let (page, next) = page(items.clone(), String::clone, position.as_deref(), None).unwrap();
            seen.extend(page);
            pages += 1;
            match next {
                Some(_) => position = next,
                None => break,
            }
        }
        assert_eq!((seen, pages), (items, 3));
    }

    #[test]
    fn bounds_the_limit_and_refuses_a_foreign_position() {
        let items: Vec<String> = (0..600).map(|number| format!("{number:03}")).collect();
        let count = |limit| page(items.clone(), String::clone, None, limit).unwrap().0.len();
        assert_eq!(
            [count(None), count(Some(0)), count(Some(1)), count(Some(9_999)), count(Some(-1))],
            [25, 25, 1, 500, 25]
        );
        assert!(page(items, String::clone, Some("!"), None).is_err());
    }
}
