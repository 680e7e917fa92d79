//! Queries: the options of an address, what they find, and the rows as the API shows them (sheet 2.2, 2.3).

mod eval;
mod lex;
mod like;
mod parse;
mod show;

pub(crate) use like::fold;
pub(crate) use show::{Annotations, reference, show};

use super::error::{ApiError, Result};
use super::org::{Org, Row};
use super::schema::Table;
use parse::{Aliases, Expand, Expr, Order};

/// Rows on a page unless less is asked for.
const PAGE_MAX: usize = 5_000;

/// The options of a query.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `$select`; empty for all.
    pub(crate) select: Vec<String>,
    /// `$expand`
    pub(crate) expand: Vec<Expand>,
    filter: Option<Expr>,
    order: Vec<Order>,
    top: Option<usize>,
    count: bool,
    offset: usize,
    skip: Option<usize>,
}

/// A page of rows.
pub(crate) struct Page<'a> {
    /// The rows.
    pub(crate) rows: Vec<&'a Row>,
    /// How many there are in all, when asked for.
    pub(crate) count: Option<usize>,
    /// The rows before the next page, when there is one.
    pub(crate) next: Option<usize>,
}

/// What `$skiptoken` holds: how many rows came before.
pub(crate) fn cookie(offset: usize) -> String {
    format!("<cookie pagenumber=\"2\" pagingcookie=\"{offset}\" istracking=\"False\" />")
}

fn offset_of(cookie: &str) -> Result<usize> {
    let inner = cookie.split_once("pagingcookie=\"").and_then(|(_, rest)| rest.split_once('"'));
    let bad = || ApiError::address("Malformed $skiptoken: follow @odata.nextLink as it is.");
    inner.and_then(|(offset, _)| offset.parse().ok()).ok_or_else(bad)
}

/// Reads the options of an address, already decoded.
///
/// # Errors
/// One does not parse or is not supported.
pub(crate) fn options(query: &[(String, String)]) -> Result<Options> {
    let aliases: Aliases =
        query.iter().filter_map(|(n, v)| Some((n.strip_prefix('@')?.to_owned(), v.clone()))).collect();
    let mut out = Options::default();
    for (name, value) in query {
        let number = || value.trim().parse::<usize>().map_err(|_| invalid(name, value));
        match name.as_str() {
            "$select" => out.select = parse::select(value)?,
            "$filter" => out.filter = Some(parse::filter(value, &aliases)?),
            "$orderby" => out.order = parse::order(value)?,
            "$expand" => out.expand = parse::expand(value, &aliases)?,
            "$top" => out.top = Some(number()?),
            "$skip" => out.skip = Some(number()?),
            "$skiptoken" => out.offset = offset_of(value)?,
            "$count" => out.count = value.parse().map_err(|_| invalid(name, value))?,
            "$apply" | "$search" | "$format" => {
                return Err(ApiError::new(
                    501,
                    super::error::ADDRESS,
                    format!("{name} is not part of this sandbox."),
                ));
            }
            name if name.starts_with('$') => {
                let says = format!("The query parameter '{name}' is not supported.");
                return Err(ApiError::address(says));
            }
            _ => {}
        }
    }
    Ok(out)
}

fn invalid(name: &str, value: &str) -> ApiError {
    ApiError::address(format!("Invalid value '{value}' for {name} query option found."))
}

/// Runs a query.
///
/// # Errors
/// It names what is not there, or compares what does not compare.
pub(crate) fn run<'a>(
    org: &'a Org,
    table: &Table,
    options: &Options,
    among: Option<Vec<&'a Row>>,
    page_size: Option<usize>,
) -> Result<Page<'a>> {
    if options.skip.is_some() && org.switches.skip_refused {
        return Err(ApiError::address("Skip Clause is not supported in CRM"));
    }
    check(org, table, options)?;
    let all = among.unwrap_or_else(|| org.rows(&table.name).collect());
    let mut rows: Vec<&Row> = match &options.filter {
        Some(filter) => all.into_iter().filter(|row| eval::holds(org, table, row, filter)).collect(),
        None => all,
    };
    sort(org, table, &mut rows, &options.order);
    let count = options.count.then(|| rows.len().min(PAGE_MAX));
    let mut rest = rows.split_off((options.offset + options.skip.unwrap_or(0)).min(rows.len()));
    let size = options.top.unwrap_or_else(|| page_size.unwrap_or(PAGE_MAX)).min(PAGE_MAX);
    let more = rest.len() > size && options.top.is_none_or(|top| top > PAGE_MAX);
    rest.truncate(size);
    let next = more.then_some(options.offset + size);
    Ok(Page { rows: rest, count, next })
}

fn sort(org: &Org, table: &Table, rows: &mut [&Row], order: &[Order]) {
    for (path, descending) in order.iter().rev() {
        rows.sort_by(|a, b| {
            let ordering = eval::compare_for_order(org, table, a, b, path);
            if *descending { ordering.reverse() } else { ordering }
        });
    }
}

/// Checks all names and types of a query, whether or not there are rows.
///
/// # Errors
/// A name is not there, or types do not fit.
pub(crate) fn check(org: &Org, table: &Table, options: &Options) -> Result<()> {
    for name in &options.select {
        selectable(table, name)?;
    }
    for (path, _) in &options.order {
        eval::column_of(org, table, path)?;
    }
    if let Some(filter) = &options.filter {
        eval::check(org, table, filter)?;
    }
    options.expand.iter().try_for_each(|expand| check_expand(org, table, expand))
}

/// A column that `$select` may name; a lookup only by `_name_value` (sheet 2.2).
fn selectable(table: &Table, name: &str) -> Result<()> {
    if name == "*" || table.property(name).is_some() { Ok(()) } else { Err(no_property(table, name)) }
}

/// 400 for a property that is not there.
pub(crate) fn no_property(table: &Table, name: &str) -> ApiError {
    let says =
        format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{}'.", table.name);
    ApiError::address(says)
}

fn check_expand(org: &Org, table: &Table, expand: &Expand) -> Result<()> {
    let many = table.collection(&expand.property);
    let target = match (table.single(&expand.property), many) {
        (Some((_, target)), _) => &target.table,
        (None, Some(many)) => &many.child,
        (None, None) => return Err(no_property(table, &expand.property)),
    };
    let Some(target) = org.schema.table(target) else { return Err(no_property(table, &expand.property)) };
    expand.select.iter().try_for_each(|name| selectable(target, name))?;
    if let Some(filter) = &expand.filter {
        eval::check(org, target, filter)?;
    }
    for (path, _) in &expand.order {
        eval::column_of(org, target, path)?;
    }
    expand.expand.iter().try_for_each(|inner| check_expand(org, target, inner))
}
