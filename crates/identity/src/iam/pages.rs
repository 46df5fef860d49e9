//! Lists in pages: `MaxItems` (100 unless told) and `Marker`, which is the name after which the next page starts.

/// Items of a page when the caller does not say.
const DEFAULT_ITEMS: usize = 100;

/// Number of items that a page may have.
pub(crate) fn size(max_items: Option<i32>) -> usize {
    max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(DEFAULT_ITEMS)
}

/// Cuts a page off a list that goes on: the items, and the marker if there are more.
pub(crate) fn cut<T>(mut items: Vec<T>, size: usize, marker: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = items.len() > size;
    items.truncate(size);
    let marker = if more { items.last().map(marker) } else { None };
    (items, marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_marker_when_there_is_more() {
        let cut = |count, size| cut((0..count).collect(), size, i32::to_string);
        assert_eq!(cut(0, 2), (vec![], None));
        assert_eq!(cut(2, 2), (vec![0, 1], None));
        assert_eq!(cut(3, 2), (vec![0, 1], Some("1".into())));
    }
}
