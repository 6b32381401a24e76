//! Pages of lists.

use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::assumptions::DEFAULT_PAGE_SIZE;
use super::constraints;
use super::operation_context::OperationContext;
use crate::names::{ObjectKind, SchemaObject};

/// The input of ListTables and ListTypes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInKeyspace {
    keyspace_name: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// The page that a request asks for.
#[derive(Debug, Default)]
pub(super) struct PageRequest<'a> {
    pub(super) next_token: Option<&'a String>,
    pub(super) max_results: Option<&'a i64>,
}

/// The content of a token: the list that it continues, and the last item of the page before.
#[derive(Deserialize, Serialize)]
struct Token {
    list: String,
    last: String,
}

impl PageRequest<'_> {
    pub(super) fn constrain(&self, constraints: &mut Constraints) {
        constraints.member("nextToken", self.next_token.map(String::as_str)).length(1..=2048);
        constraints.member("maxResults", self.max_results).range(1..=1000);
    }

    /// The page of a list in the order of `key`, and the token of the next one. `list` identifies the list: a token of
    /// another list is refused.
    pub(super) fn page<T>(
        &self,
        list: &str,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let limit = self.max_results.and_then(|limit| usize::try_from(*limit).ok()).unwrap_or(DEFAULT_PAGE_SIZE);
        let after = match self.next_token {
            Some(text) => Some(Token::read(text).filter(|token| token.list == list).ok_or_else(|| {
                ApiError::validation(
                    "keyspaces-local: nextToken was not returned for this list (the service's message is not known)",
                )
            })?),
            None => None,
        };
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort_by_key(&key);
        items.retain(|item| after.as_ref().is_none_or(|after| key(item) > after.last));
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| has_more).map(key);
        let next = last.map(|last| Token { list: list.to_owned(), last }.text());
        Ok((items, next))
    }
}

impl ListInKeyspace {
    /// The page of the objects of one kind that a keyspace has, and the token of the next one.
    pub(super) fn page(
        self,
        context: &OperationContext,
        operation: &str,
        kind: ObjectKind,
    ) -> Result<(Vec<SchemaObject>, Option<String>), ApiError> {
        let page_request = PageRequest { next_token: self.next_token.as_ref(), max_results: self.max_results.as_ref() };
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        page_request.constrain(&mut constraints);
        constraints.check()?;
        let keyspace = self.keyspace_name.unwrap_or_default();
        context.find_visible(&SchemaObject::keyspace(&keyspace))?;
        let all = context.schema().visible_objects(&keyspace, kind);
        page_request.page(&format!("{operation} {keyspace}"), all, |object| object.name.clone())
    }
}

impl Token {
    fn text(&self) -> String {
        hex::encode(serde_json::json!(self).to_string())
    }

    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&hex::decode(text).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_any_size_have_each_item_once() {
        for (count, size) in [(0, 7), (1, 7), (7, 7), (8, 7), (256, 7), (20, 1), (3, 1000)] {
            let all: Vec<String> = (0..count).map(|number| format!("t{number:03}")).collect();
            let (mut seen, mut token, size) = (Vec::new(), None, i64::from(size));
            loop {
                let page_request = PageRequest { next_token: token.as_ref(), max_results: Some(&size) };
                let (page, next) = page_request.page("ListTables ks", all.clone(), String::clone).unwrap();
                assert!(page.len() <= size as usize);
                seen.extend(page);
                match next {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn a_token_continues_after_removed_items_and_only_in_its_own_list() {
        let all = ["a", "b", "c", "d"].map(str::to_owned);
        let two = PageRequest { next_token: None, max_results: Some(&2) };
        let (_, token) = two.page("ListTables ks", all, String::clone).unwrap();
        let next = PageRequest { next_token: token.as_ref(), max_results: None };
        let left = ["a", "c", "d"].map(str::to_owned);
        assert_eq!(
            next.page("ListTables ks", left.clone(), String::clone).unwrap(),
            (vec!["c".into(), "d".into()], None)
        );
        let other = next.page("ListTables other", left.clone(), String::clone).unwrap_err();
        let unreadable = PageRequest { next_token: Some(&"zz".to_owned()), max_results: None };
        let unreadable = unreadable.page("ListTables ks", left, String::clone).unwrap_err();
        for refused in [other, unreadable] {
            assert_eq!(
                refused.to_string(),
                "ValidationException: keyspaces-local: nextToken was not returned for this list (the service's \
                 message is not known)"
            );
        }
    }
}
