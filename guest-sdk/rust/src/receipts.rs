use crate::call::Call;
use crate::constants::{HOST_RECEIPTS_GET, HOST_RECEIPTS_SET, MAX_RECEIPT_PAGE};
use crate::decoder::{Bad, Decoder};
use crate::driver::Receipt;
use crate::encoder::{array, Map};
use crate::error::{Error, Result};

/// The table of an upload's receipts, which the host keeps.
#[derive(Debug)]
pub struct Receipts<'c> {
    call: &'c Call,
    number: i64,
}

impl<'c> Receipts<'c> {
    pub(crate) fn new(call: &'c Call, number: i64) -> Self {
        Receipts { call, number }
    }

    #[cfg(test)]
    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// Returns at most `limit` receipts of numbers above `after`, ascending by number. There are more when it returns `limit`,
    /// which is at most [`MAX_RECEIPT_PAGE`](crate::MAX_RECEIPT_PAGE).
    pub fn page(&self, after: u32, limit: usize) -> Result<Vec<Receipt>> {
        let mut page = Vec::new();
        if self.number == 0 {
            return Ok(page);
        }
        self.call.ask(
            HOST_RECEIPTS_GET,
            "receipts_get",
            &mut |m| {
                m.int("receipts", self.number);
                m.uint("after", after.into());
                m.uint("limit", limit as u64);
            },
            &mut |key, d| {
                if key != b"page" {
                    return Ok(false);
                }
                for _ in 0..d.array()? {
                    page.push(receipt(d)?);
                }
                Ok(true)
            },
        )?;
        Ok(page)
    }

    /// Calls `f` for each receipt, ascending by number, until it returns an error.
    pub fn each(&self, mut f: impl FnMut(Receipt) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.page(after, MAX_RECEIPT_PAGE)?;
            let full = page.len() >= MAX_RECEIPT_PAGE;
            for receipt in page {
                after = receipt.number;
                f(receipt)?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Returns all receipts, ascending by number: at most [`MAX_RECEIPTS`](crate::MAX_RECEIPTS).
    pub fn all(&self) -> Result<Vec<Receipt>> {
        let mut all = Vec::new();
        self.each(|r| {
            all.push(r);
            Ok(())
        })?;
        Ok(all)
    }

    /// Adds receipts, or replaces those of the same number. Only [`Driver::open_upload`](crate::Driver::open_upload) may.
    pub fn set(&self, receipts: &[Receipt]) -> Result<()> {
        if self.number == 0 {
            return Err(Error::invalid_argument("there is no table of receipts here"));
        }
        receipts.chunks(MAX_RECEIPT_PAGE).try_for_each(|page| self.set_page(page))
    }

    fn set_page(&self, page: &[Receipt]) -> Result<()> {
        self.call.ask_nothing(HOST_RECEIPTS_SET, "receipts_set", &mut |m| {
            m.int("receipts", self.number);
            encode_page(m, page);
        })
    }
}

pub(crate) fn encode_page(m: &mut Map<'_>, page: &[Receipt]) {
    let b = m.key("page");
    array(b, page.len());
    for r in page {
        let mut item = Map::new(b);
        item.uint("num", r.number.into());
        item.uint("off", r.offset);
        item.uint("size", r.size);
        item.bytes("data", &r.data);
    }
}

pub(crate) fn receipt(d: &mut Decoder<'_>) -> core::result::Result<Receipt, Bad> {
    let mut r = Receipt::default();
    d.fields(&mut |key, d| {
        match key {
            b"num" => r.number = u32::try_from(d.uint()?).map_err(|_| Bad::Format)?,
            b"off" => r.offset = d.uint()?,
            b"size" => r.size = d.uint()?,
            b"data" => r.data = d.bytes()?.to_vec(),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(r)
}
