//! Queries the gateway as drivers do.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::client::{Client, ClientAnswer, LOCAL_QUORUM, ResultSet, frame, opcode};
use super::cassandra::long_string;
use super::now;
use super::read::TableRead;
use super::text::SendOptions;
use super::write::TableWrite;
use crate::protocol::Writer;

pub(super) struct GatewaySide {
    pub(super) client: Client,
    /// The number of reads that returned rows, and how many of them had several pages.
    pub(super) with_rows: u32,
    pub(super) with_pages: u32,
}

impl GatewaySide {
    pub(super) async fn write(&mut self, write: &TableWrite) -> ClientAnswer {
        let send_options = &write.send_options;
        if !write.as_batch {
            let (text, values) = write.text().written("ks.t", send_options.binding_style);
            return self.request(send_options, &text, &values, None, None).await;
        }
        let mut body = BytesMut::new();
        body.put_u8(1);
        body.put_u16(write.texts.len() as u16);
        for text in &write.texts {
            let (text, values) = text.written("ks.t", send_options.binding_style);
            if send_options.prepared {
                let id = match self.client.prepare(&text).await {
                    ClientAnswer::Prepared(id) => id,
                    other => return other,
                };
                body.put_u8(1);
                body.short_bytes(&id);
            } else {
                body.put_u8(0);
                body.long_string(&text);
            }
            if values.is_empty() { body.put_u16(0) } else { body.put_slice(&values) }
        }
        body.put_u16(LOCAL_QUORUM);
        body.put_u8(0);
        self.call(send_options, opcode::BATCH, &body).await
    }

    /// The rows of all pages.
    pub(super) async fn read(&mut self, read: &TableRead) -> ClientAnswer {
        let (text, values) = read.text.written("ks.t", read.send_options.binding_style);
        let (mut all, mut state, mut pages): (Option<ResultSet>, Option<Bytes>, u32) = (None, None, 0);
        for page_size in read.page_sizes.iter().cycle() {
            let answer = self.request(&read.send_options, &text, &values, *page_size, state.as_deref()).await;
            let ClientAnswer::Rows(page) = answer else { return answer };
            if let Some(most) = page_size.filter(|most| *most > 0) {
                assert!(page.values.len() <= most as usize, "{} rows on a page of {most}", page.values.len());
            }
            state = page.paging_state;
            pages += u32::from(!page.values.is_empty());
            match &mut all {
                Some(all) => all.values.extend(page.values),
                None => all = Some(ResultSet { paging_state: None, ..page }),
            }
            if state.is_none() {
                break;
            }
        }
        self.with_rows += u32::from(pages > 0);
        self.with_pages += u32::from(pages > 1);
        ClientAnswer::Rows(all.unwrap_or_default())
    }

    async fn request(
        &mut self,
        send_options: &SendOptions,
        text: &str,
        values: &[u8],
        page: Option<i32>,
        state: Option<&[u8]>,
    ) -> ClientAnswer {
        let parameters = send_options.parameters(values, page, state, now());
        if !send_options.prepared {
            let mut body = long_string(text);
            body.put_slice(&parameters);
            return self.call(send_options, opcode::QUERY, &body).await;
        }
        let id = match self.client.prepare(text).await {
            ClientAnswer::Prepared(id) => id,
            other => return other,
        };
        let mut body = BytesMut::new();
        body.short_bytes(&id);
        body.put_slice(&parameters);
        self.call(send_options, opcode::EXECUTE, &body).await
    }

    async fn call(&mut self, send_options: &SendOptions, opcode: u8, body: &[u8]) -> ClientAnswer {
        let (flags, mut whole) = send_options.extras();
        whole.put_slice(body);
        self.client.send_bytes(&frame(4, flags, 0, opcode, &whole)).await;
        let received = self.client.receive().await.expect("an answer");
        assert_eq!((received.version, received.flags, received.stream), (0x84, 0, 0));
        ClientAnswer::read(&received)
    }
}
