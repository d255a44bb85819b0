use std::collections::BTreeMap;

use super::asked::Asked;
use super::{Host, State};
use crate::constants::{MAX_RECEIPTS, MAX_RECEIPT_PAGE};
use crate::driver::{Digests, Part, Receipt};
use crate::encoder::Map;
use crate::error::{Error, Kind, Result};
use crate::receipts::{encode_page, Receipts};

/// The receipts of an upload.
#[derive(Default)]
pub(super) struct Table {
    rows: BTreeMap<u32, Receipt>,
    /// The driver may add to it.
    fill: bool,
}

impl Host {
    /// Returns the table that [`Driver::open_upload`](crate::Driver::open_upload) is given, which puts receipts into it when it
    /// resumes an upload; [`Receipts::all`] has them then.
    pub fn empty_receipts(&self) -> Receipts<'_> {
        self.table(Table { fill: true, ..Table::default() })
    }

    /// Returns the table that [`Driver::suspend_upload`](crate::Driver::suspend_upload) and
    /// [`Driver::commit_upload`](crate::Driver::commit_upload) are given: one receipt of each part, in any order, with what
    /// [`Driver::put_part`](crate::Driver::put_part) returned.
    ///
    /// ```
    /// use berth_guest::testing::Host;
    /// use berth_guest::Receipt;
    ///
    /// let host = Host::new();
    /// let receipts = host.receipts((1..=300).map(|number| Receipt { number, size: 5, ..Receipt::default() }));
    /// assert_eq!(receipts.page(0, 256).unwrap().len(), 256);
    /// assert_eq!(receipts.all().unwrap().len(), 300);
    /// ```
    pub fn receipts(&self, receipts: impl IntoIterator<Item = Receipt>) -> Receipts<'_> {
        self.table(Table { rows: receipts.into_iter().map(|r| (r.number, r)).collect(), fill: false })
    }

    fn table(&self, table: Table) -> Receipts<'_> {
        let handle = self.state.handle();
        self.state.receipts.borrow_mut().insert(handle, table);
        Receipts::new(&self.call, handle)
    }

    /// Returns a part of an upload, as [`Driver::put_part`](crate::Driver::put_part) is given it and
    /// [`Driver::commit_upload`](crate::Driver::commit_upload) the last one: the one of that number, from 1, which begins at
    /// `offset`. It has no digests; a test for a driver whose [`UploadLimits`](crate::UploadLimits) ask for some sets them.
    ///
    /// ```
    /// use berth_guest::{alg, testing::Host, Digests, Part};
    ///
    /// let host = Host::new();
    /// let digests = Digests::from_iter([(alg::SHA256, [7; 32])]);
    /// let part = Part { digests, ..host.part(2, 5, "hello") };
    /// assert_eq!((part.size, part.digests.get(alg::SHA256)), (5, Some(&[7; 32][..])));
    /// ```
    pub fn part(&self, number: u32, offset: u64, content: impl Into<Vec<u8>>) -> Part<'_> {
        let content = content.into();
        let size = content.len() as u64;
        Part { number, offset, size, body: self.stream(content), digests: Digests::default() }
    }
}

impl State {
    pub(super) fn receipts_get(&self, asked: &Asked<'_>, mut m: Map<'_>) -> Result<()> {
        if asked.limit < 1 || asked.limit > MAX_RECEIPT_PAGE as u64 {
            let text = format!("receipts_get: the limit {} is not 1 to {}", asked.limit, MAX_RECEIPT_PAGE);
            return Err(Error::invalid_argument(text));
        }
        let tables = self.receipts.borrow();
        let table = tables.get(&asked.receipts).ok_or_else(super::closed)?;
        let after = u32::try_from(asked.after).unwrap_or(u32::MAX);
        let above = table.rows.values().filter(|r| r.number > after);
        encode_page(&mut m, &above.take(asked.limit as usize).cloned().collect::<Vec<_>>());
        Ok(())
    }

    pub(super) fn receipts_set(&self, asked: Asked<'_>) -> Result<()> {
        let mut tables = self.receipts.borrow_mut();
        let table = tables.get_mut(&asked.receipts).ok_or_else(super::closed)?;
        if !table.fill {
            return Err(Error::invalid_argument("receipts_set: these receipts are the host's"));
        }
        if table.rows.len() + asked.page.len() > MAX_RECEIPTS {
            return Err(Error::new(Kind::Limit, format!("more than {} receipts", MAX_RECEIPTS)));
        }
        for r in asked.page {
            if r.number < 1 || r.number as usize > MAX_RECEIPTS {
                let text = format!("the number {} of a receipt is not 1 to {}", r.number, MAX_RECEIPTS);
                return Err(Error::invalid_argument(text));
            }
            table.rows.insert(r.number, r);
        }
        Ok(())
    }
}
