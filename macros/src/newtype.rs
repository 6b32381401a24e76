//! `#[derive(Value)]` of a struct with one unnamed field: bound and read as the type of this field.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{DataStruct, DeriveInput, Error, Fields, GenericParam, Generics, Lifetime, LifetimeParam, Type, parse_quote};

use crate::options::Options;

pub(crate) fn expand(input: &DeriveInput, data: &DataStruct, options: &Options) -> syn::Result<TokenStream> {
    if let Some((stored, span)) = options.stored {
        let problem = format!("{} says how an enum is stored; a newtype is stored as what it holds", stored.name());
        return Err(Error::new(span, problem));
    }
    if let Some((_, span)) = options.case {
        return Err(Error::new(span, "rename_all is for the variants of an enum"));
    }
    let name = &input.ident;
    let field = match &data.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => &fields.unnamed[0],
        Fields::Unnamed(fields) => {
            let problem = format!("{name} has {} fields, a newtype has one: bind a tuple", fields.unnamed.len());
            return Err(Error::new(fields.span(), problem));
        }
        Fields::Named(fields) => {
            let problem = format!(
                "{name} has fields with names: write #[keyspaces::user_type] if it is a user-defined type, #[keyspaces::row] \
                 if it is a row, or {name}(…) if it is a newtype"
            );
            return Err(Error::new(fields.span(), problem));
        }
        Fields::Unit => return Err(Error::new(name.span(), format!("{name} holds no value"))),
    };
    if let Some(attribute) = crate::options::value_attributes(&field.attrs).next() {
        return Err(Error::new(attribute.span(), "the field of a newtype has no options"));
    }
    let inner = &field.ty;
    let (bind, read) = (bind(input, inner, options), read(input, inner, options));
    Ok(quote_spanned!(inner.span() => #bind #read))
}

fn bind(input: &DeriveInput, inner: &Type, options: &Options) -> TokenStream {
    let (name, krate) = (&input.ident, &options.krate);
    let mut generics = input.generics.clone();
    require(&mut generics, parse_quote!(#inner: #krate::SerializeValue));
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote_spanned! { inner.span() =>
        #[automatically_derived]
        impl #parameters #krate::SerializeValue for #name #arguments #bounds {
            fn serialize<'__b>(
                &self,
                typ: &#krate::codec::ColumnType<'_>,
                writer: #krate::codec::CellWriter<'__b>,
            ) -> ::core::result::Result<#krate::codec::WrittenCellProof<'__b>, #krate::codec::SerializationError> {
                #krate::_macro_internal::bind_as::<Self, #inner>(&self.0, typ, writer)
            }
        }
    }
}

fn read(input: &DeriveInput, inner: &Type, options: &Options) -> TokenStream {
    let (name, krate) = (&input.ident, &options.krate);
    let (_, arguments, _) = input.generics.split_for_impl();
    let mut generics = with_deserialize_lifetimes(&input.generics);
    require(&mut generics, parse_quote!(#inner: #krate::DeserializeValue<'__frame, '__metadata>));
    let (parameters, _, bounds) = generics.split_for_impl();
    quote_spanned! { inner.span() =>
        #[automatically_derived]
        impl #parameters #krate::DeserializeValue<'__frame, '__metadata> for #name #arguments #bounds {
            fn type_check(
                typ: &#krate::codec::ColumnType<'_>,
            ) -> ::core::result::Result<(), #krate::codec::TypeCheckError> {
                #krate::_macro_internal::check_as::<Self, #inner>(typ)
            }

            fn deserialize(
                typ: &'__metadata #krate::codec::ColumnType<'__metadata>,
                value: ::core::option::Option<#krate::codec::FrameSlice<'__frame>>,
            ) -> ::core::result::Result<Self, #krate::codec::DeserializationError> {
                #krate::_macro_internal::read_as::<Self, #inner>(typ, value).map(Self)
            }
        }
    }
}

/// Adds the bound if the type has parameters. Without parameters, the compiler checks the concrete type where it is used.
fn require(generics: &mut Generics, bound: syn::WherePredicate) {
    if generics.type_params().next().is_some() {
        generics.make_where_clause().predicates.push(bound);
    }
}

/// Adds the lifetimes of `DeserializeValue` to the parameters of a type. A type that borrows, borrows from the frame.
fn with_deserialize_lifetimes(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let mut frame: LifetimeParam = parse_quote!('__frame);
    frame.bounds.extend(generics.lifetimes().map(|parameter| parameter.lifetime.clone()));
    let lifetimes: Vec<Lifetime> = generics.lifetimes().map(|parameter| parameter.lifetime.clone()).collect();
    generics.params.insert(0, GenericParam::Lifetime(frame));
    generics.params.insert(1, parse_quote!('__metadata));
    for lifetime in lifetimes {
        generics.make_where_clause().predicates.push(parse_quote!(#lifetime: '__frame));
    }
    generics
}
