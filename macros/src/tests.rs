//! Compile errors for wrong inputs. They name the variant or the field.

use quote::quote;

use super::case::Case;
use super::*;

fn problem(input: proc_macro2::TokenStream) -> String {
    let input = syn::parse2(input).expect("it is an item");
    expand_value(&input).expect_err("it is wrong").to_string()
}

#[test]
fn value_derive_errors_name_the_variant_or_field() {
    for (input, words) in [
        (
            quote!(
                enum Status {
                    Draft,
                }
            ),
            "say how Status is stored: #[value(text)], or a number: #[value(int)]",
        ),
        (
            quote!(
                #[value(int)]
                enum Status {
                    Draft = 1,
                    Published,
                }
            ),
            "say the number of Published: Published = …. What is stored must not change when variants are moved",
        ),
        (
            quote!(
                #[value(text)]
                enum Status {
                    Draft,
                    Failed(String),
                }
            ),
            "Failed holds values: a text says which variant it is, and nothing else. keyspaces::value::Json stores them too",
        ),
        (
            quote!(
                #[value(text)]
                enum Status {
                    Draft,
                    #[value(rename = "Draft")]
                    New,
                }
            ),
            "Draft and New are both \"Draft\"",
        ),
        (
            quote!(
                #[value(text, int)]
                enum Status {
                    Draft,
                }
            ),
            "it is stored as text already",
        ),
        (
            quote!(
                #[value(varchar)]
                enum Status {
                    Draft,
                }
            ),
            "expected text, tinyint, smallint, int, bigint, rename_all = \"…\" or crate = …",
        ),
        (
            quote!(
                #[value(text, rename_all = "Snake")]
                enum Status {
                    Draft,
                }
            ),
            "expected one of lowercase, UPPERCASE, camelCase, snake_case, SCREAMING_SNAKE_CASE, kebab-case",
        ),
        (
            quote!(
                #[value(text)]
                enum Status {
                    #[value(skip)]
                    Draft,
                }
            ),
            "expected rename = \"…\"",
        ),
        (
            quote!(
                #[value(int, rename_all = "lowercase")]
                enum Status {
                    Draft = 1,
                }
            ),
            "rename_all is for an enum that is stored as text",
        ),
        (
            quote!(
                #[value(int)]
                enum Status {
                    #[value(rename = "new")]
                    Draft = 1,
                }
            ),
            "rename is for an enum that is stored as text",
        ),
        (
            quote!(
                #[value(text)]
                enum Status {}
            ),
            "Status has no variants, so there is nothing to store",
        ),
        (
            quote!(
                struct Id;
            ),
            "Id holds no value",
        ),
        (
            quote!(
                struct Id(Uuid, u8);
            ),
            "Id has 2 fields, a newtype has one: bind a tuple",
        ),
        (
            quote!(
                struct Id {
                    id: Uuid,
                }
            ),
            "Id has fields with names: write #[keyspaces::user_type] if it is a user-defined type, #[keyspaces::row] if it is \
             a row, or Id(…) if it is a newtype",
        ),
        (
            quote!(
                #[value(text)]
                struct Id(Uuid);
            ),
            "text says how an enum is stored; a newtype is stored as what it holds",
        ),
        (
            quote!(
                #[value(rename_all = "lowercase")]
                struct Id(Uuid);
            ),
            "rename_all is for the variants of an enum",
        ),
        (
            quote!(
                struct Id(#[value(text)] Uuid);
            ),
            "the field of a newtype has no options",
        ),
        (quote!(union Id { id: u8 }), "a union cannot be a value: derive Value for a newtype or an enum"),
    ] {
        assert_eq!(problem(input.clone()), words, "{input}");
    }
}

#[test]
fn misapplied_attribute_names_the_correct_one() {
    let problem = |arguments, input| item::expand(item::Traits::Row, arguments, input).expect_err("wrong").to_string();
    assert_eq!(
        problem(
            quote!(),
            quote!(
                enum Status {
                    Draft,
                }
            )
        ),
        "Status is not a struct: derive keyspaces::Value for an enum"
    );
    assert_eq!(
        problem(
            quote!(),
            quote!(
                struct Id(Uuid);
            )
        ),
        "#[keyspaces::row] is for a struct whose fields have names, and Id has none: derive keyspaces::Value for a newtype"
    );
    assert_eq!(
        problem(
            quote!(reads),
            quote!(
                struct Id {}
            )
        ),
        "expected read, write or crate = …, found reads"
    );
}

#[test]
fn only_raw_identifiers_without_a_rename_attribute_are_renamed() {
    let item = quote!(
        struct Event {
            r#type: String,
            #[scylla(rename = "kind", default_when_null)]
            r#match: String,
            id: i32,
        }
    );
    let expanded = item::expand(item::Traits::Row, quote!(read), item).expect("it is right").to_string();
    let expected = quote!(
        #[derive(::keyspaces::DeserializeRow)]
        #[scylla(crate = ::keyspaces)]
        struct Event {
            #[scylla(rename = "type")]
            r#type: String,
            #[scylla(rename = "kind", default_when_null)]
            r#match: String,
            id: i32,
        }
    );
    assert_eq!(expanded, expected.to_string());
}

#[test]
fn variant_names_are_converted_as_by_serde() {
    for (case, name) in [
        (Case::Lower, "inreview"),
        (Case::Upper, "INREVIEW"),
        (Case::Camel, "inReview"),
        (Case::Snake, "in_review"),
        (Case::ScreamingSnake, "IN_REVIEW"),
        (Case::Kebab, "in-review"),
    ] {
        assert_eq!(case.apply("InReview"), name);
    }
}
