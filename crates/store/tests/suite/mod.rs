//! What every engine must do. `suite!(open)` makes one test of each case; `open` is an async function that returns a new,
//! empty `SharedStore` and whatever must live as long as it.

mod feed;
mod reads;
mod transactions;

pub(crate) use feed::*;
pub(crate) use reads::*;
pub(crate) use transactions::*;

use store::Scope;

macro_rules! suite {
    ($open:path) => {
        suite!(@ $open:
            // reads
            nothing_is_found_in_an_empty_store
            a_record_is_read_back_as_it_was_written
            scopes_and_kinds_do_not_mix
            a_list_is_ordered_by_key_and_pages
            a_list_holds_children_and_no_grandchildren
            a_tree_holds_the_row_and_all_below_it
            a_prefix_is_no_parent_and_no_pattern
            every_scope_is_listed_at_start
            a_record_is_found_in_any_scope
            an_acknowledged_write_is_seen_by_every_reader
            a_document_of_an_earlier_version_is_upgraded
            an_unreadable_document_is_told
            // transactions
            a_transaction_holds_or_fails_as_a_whole
            an_insert_refuses_a_taken_key
            an_update_needs_the_revision_that_was_read
            a_delete_needs_the_revision_that_was_read
            put_inserts_and_replaces
            a_tree_is_deleted_in_its_scope_only
            an_expected_row_guards_a_transaction
            an_expected_absence_guards_a_transaction
            assertions_alone_leave_the_revision
            a_later_step_sees_an_earlier_one
            writers_of_one_row_take_turns
            a_record_that_is_no_json_fails_the_commit
            // change feed
            revisions_count_commits
            the_feed_tells_every_change_in_order
            the_feed_never_splits_a_commit
            the_watch_moves_before_the_answer
        );
    };
    (@ $open:path: $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (_guard, store) = $open().await;
                $crate::suite::$case(store).await;
            }
        )*
    };
}

/// The scope that most cases use.
pub(crate) fn here() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

/// Another region of the same account.
pub(crate) fn elsewhere() -> Scope {
    Scope::new("000000000000", "eu-west-1")
}
