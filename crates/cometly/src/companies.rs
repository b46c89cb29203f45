//! Companies: list, read, update and export them.

use cometly_core::{
    Api, Call, DecodeError, Endpoint, Export, ExportId, ExportOrder, ExportOrdered, Page, Reply, backend_trim,
    bytes::Bytes,
};
use serde::Serialize;

use crate::{
    Id, InvalidRequest, SpaceTime,
    query::{self, Broken, Period, Query},
    row::row,
};

row! {
    /// A company of the Space, as lists, exports, [`GetCompany`] and [`UpdateCompany`] give it. JSON without `id`, or with a
    /// value of another type than its field, cannot be read as one: the call fails with a [`DecodeError`] then, and the line of
    /// an export with a [`RowError`](crate::RowError).
    Company {
        required: {
            /// The id of the company.
            id: Id,
        }
        optional: {
            /// The domain of the company's website; `None` if Cometly has none.
            domain: Option<String>,
            /// The name of the company; `None` if Cometly has none.
            name: Option<String>,
        }
    }
}

/// `GET /companies`: all companies, or those created between two times of the Space's clock, both included. From
/// [`all`](Self::all) or [`created_between`](Self::created_between), whose [`build`](ListCompaniesBuilder::build) fails with
/// [`InvalidRequest`] for a time that cannot be read, an `end` that is not after `start`, or a `per_page` that is not 1 to
/// 5000. [`Pages::of`](cometly_core::Pages::of) makes a list of all its pages; a client's `call` with it gives the first page
/// alone.
///
/// ```
/// # use cometly::companies::ListCompanies;
/// let list = ListCompanies::all().per_page(5000).build()?;
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListCompanies {
    query: Query,
}

/// The settings of a [`ListCompanies`]; from [`ListCompanies::all`] or [`created_between`](ListCompanies::created_between). Its
/// [`build`](Self::build) checks them, and fails with [`InvalidRequest`] for a time that cannot be read, an `end` that is not
/// after `start`, or a `per_page` that is not 1 to 5000.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ListCompaniesBuilder {
    period: Period,
    per_page: Option<u32>,
    broken: Broken,
}

impl ListCompanies {
    /// A list of all companies, whenever they were created. They still come one page at a time: [`Pages`](cometly_core::Pages)
    /// gives all pages. A page has 200 unless [`per_page`](ListCompaniesBuilder::per_page) says otherwise, 1 to 5000;
    /// [`build`](ListCompaniesBuilder::build) refuses any other number.
    pub fn all() -> ListCompaniesBuilder {
        ListCompaniesBuilder { period: Period::default(), per_page: None, broken: Broken::default() }
    }

    /// A list of the companies created from `start` to `end`, both included, to the second and by the Space's clock. `start` and
    /// `end` are each a [`SpaceTime`], or a text as `2026-11-24 10:00:00`; a day without a time is its first second.
    /// [`build`](ListCompaniesBuilder::build) fails with [`InvalidRequest`] for a time that cannot be read, and an `end` that is
    /// not after `start`.
    pub fn created_between<S, E>(start: S, end: E) -> ListCompaniesBuilder
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        ListCompaniesBuilder { period: Period::between(start, end, &mut broken), per_page: None, broken }
    }
}

impl ListCompaniesBuilder {
    /// How many companies a page holds: 1 to 5000, 200 by default; [`build`](Self::build) refuses any other number. A second
    /// call replaces it.
    pub fn per_page(mut self, companies: u32) -> Self {
        self.per_page = Some(companies);
        self
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: a time that cannot be read, an `end` that is not after `start`, or
    /// a `per_page` that is not 1 to 5000.
    pub fn build(self) -> Result<ListCompanies, InvalidRequest> {
        let Self { period, per_page, mut broken } = self;
        let mut query = Query::default();
        period.add_to(&mut query);
        query::per_page(per_page, 5000, &mut query, &mut broken);
        broken.into_result()?;
        Ok(ListCompanies { query })
    }
}

impl Endpoint for ListCompanies {
    type Output = Page<Company>;

    fn call(&self, api: &Api) -> Call {
        self.query.add_to(api.get("companies"))
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Page<Company>, DecodeError> {
        reply.json()
    }
}

/// `GET /companies/{id}`: one company, a [`Company`]; from [`new`](Self::new). If there is no such company, the API answers
/// 404: a client's `call` fails with that answer, and its `call_opt` makes `None` of it.
#[derive(Clone, Debug)]
pub struct GetCompany {
    id: Id,
}

impl GetCompany {
    /// Asks for the company with this id: a number, or an [`Id`] for a text. It cannot fail; the API answers 404 if there is no
    /// such company.
    pub fn new(id: impl Into<Id>) -> Self {
        Self { id: id.into() }
    }
}

impl Endpoint for GetCompany {
    type Output = Company;

    fn call(&self, api: &Api) -> Call {
        api.get("companies/{id}").segment(&self.id)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Company, DecodeError> {
        reply.json()
    }
}

/// `PUT /companies/{id}`: changes the name or the domain of a company; what is not set stays. Neither can be removed. From
/// [`new`](Self::new), whose [`build`](UpdateCompanyBuilder::build) fails with [`InvalidRequest`] if neither is set, and for a
/// text that is blank or has more than 255 characters.
///
/// ```
/// # use cometly::companies::UpdateCompany;
/// let update = UpdateCompany::new(7).name("Example Ltd").build()?;
/// assert_eq!(UpdateCompany::new(7).build().unwrap_err().to_string(), "domain: expected domain or name, or both");
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct UpdateCompany {
    id: Id,
    change: Change,
}

/// The settings of an [`UpdateCompany`]; from [`UpdateCompany::new`]. A setter that is called twice replaces the value. Its
/// [`build`](Self::build) checks them, and fails with [`InvalidRequest`] if neither name nor domain is set, and for one that is
/// blank or longer than 255 characters.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct UpdateCompanyBuilder {
    id: Id,
    change: Change,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl UpdateCompany {
    /// A change of the company with this id: a number, or an [`Id`] for a text. At least one setter has to follow, else
    /// [`build`](UpdateCompanyBuilder::build) fails with [`InvalidRequest`].
    #[expect(clippy::new_ret_no_self, reason = "the request is made by the builder's `build`")]
    pub fn new(id: impl Into<Id>) -> UpdateCompanyBuilder {
        UpdateCompanyBuilder { id: id.into(), change: Change::default() }
    }
}

impl UpdateCompanyBuilder {
    /// The new domain: 1 to 255 characters, not only white space; [`build`](Self::build) refuses any other text. By default the
    /// domain stays. A second call replaces it.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.change.domain = Some(domain.into());
        self
    }

    /// The new name: 1 to 255 characters, not only white space; [`build`](Self::build) refuses any other text. By default the name
    /// stays. A second call replaces it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.change.name = Some(name.into());
        self
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] if neither name nor domain is set, or a text is blank or longer than 255 characters.
    pub fn build(self) -> Result<UpdateCompany, InvalidRequest> {
        let Self { id, change } = self;
        if change.domain.is_none() && change.name.is_none() {
            return Err(InvalidRequest::new("domain", "expected domain or name, or both"));
        }
        for (field, text) in [("domain", &change.domain), ("name", &change.name)] {
            let fits = |text: &String| !backend_trim(text).is_empty() && text.chars().count() <= 255;
            if !text.as_ref().is_none_or(fits) {
                return Err(InvalidRequest::new(field, "expected 1 to 255 characters"));
            }
        }
        Ok(UpdateCompany { id, change })
    }
}

impl Endpoint for UpdateCompany {
    type Output = Company;

    fn call(&self, api: &Api) -> Call {
        api.put("companies/{id}").segment(&self.id).json(&self.change)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Company, DecodeError> {
        reply.json()
    }
}

/// `POST /companies/exports`: orders the companies created between two times of the Space's clock, both included, as a file of
/// gzipped NDJSON; [`ExportJob`](cometly_core::ExportJob) waits for it, and [`ExportLines`](crate::ExportLines) reads it. From
/// [`created_between`](Self::created_between), which fails with [`InvalidRequest`] for a time that cannot be read, and an `end`
/// that is not after `start`. It is not sent again when its answer is lost, since the export may have been ordered.
#[derive(Clone, Debug)]
pub struct ExportCompanies {
    query: Query,
}

impl ExportCompanies {
    /// An export of the companies that were created from `start` to `end`, both included, to the second and by the Space's clock.
    /// `start` and `end` are each a [`SpaceTime`], or a text as `2026-11-24 10:00:00`; a day without a time is its first second.
    ///
    /// # Errors
    /// [`InvalidRequest`] if a time cannot be read, or `end` is not after `start`.
    pub fn created_between<S, E>(start: S, end: E) -> Result<Self, InvalidRequest>
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let (mut broken, mut query) = (Broken::default(), Query::default());
        Period::between(start, end, &mut broken).add_to(&mut query);
        broken.into_result()?;
        Ok(Self { query })
    }
}

impl Endpoint for ExportCompanies {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("companies/exports").json(&self.query.to_json())
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for ExportCompanies {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("companies/exports/{id}").segment(id)
    }
}

/// `GET /companies/exports/{id}`: asks once how far an export of companies is, and gives an [`Export`]; from
/// [`new`](Self::new). [`ExportJob::resume`](cometly_core::ExportJob::resume) asks until it is completed. If there is no such
/// export, the API answers 404.
#[derive(Clone, Debug)]
pub struct GetCompanyExport {
    id: ExportId,
}

impl GetCompanyExport {
    /// Asks once for the export with this id, an [`ExportId`] of the order's answer or read from text by its `FromStr`. It
    /// cannot fail; the API answers 404 if there is no such export.
    #[must_use]
    pub fn new(id: ExportId) -> Self {
        Self { id }
    }
}

impl Endpoint for GetCompanyExport {
    type Output = Export;

    fn call(&self, api: &Api) -> Call {
        ExportCompanies::status_call(api, &self.id)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Export, DecodeError> {
        reply.json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_is_told_by_its_field() {
        for (result, field) in [
            (ListCompanies::all().per_page(0).build().map(drop), "per_page"),
            (ListCompanies::all().per_page(5001).build().map(drop), "per_page"),
            (ListCompanies::created_between("2026-11-24", "2026-11-24").build().map(drop), "end_date"),
            (ListCompanies::created_between("x", "2026-11-24").build().map(drop), "start_date"),
            (UpdateCompany::new(7).build().map(drop), "domain"),
            (UpdateCompany::new(7).name(" ").build().map(drop), "name"),
            (UpdateCompany::new(7).domain("x".repeat(256)).build().map(drop), "domain"),
            (ExportCompanies::created_between("2026-11-25", "2026-11-24").map(drop), "end_date"),
        ] {
            assert_eq!(result.unwrap_err().field(), field);
        }
        assert!(UpdateCompany::new(7).domain("é".repeat(255)).build().is_ok());
    }
}
