import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Tokenizer } from '../lib/tokenizer.js';
import { root } from './models.js';

const model = join(root, 'models', 'minilm-l6');
let tokenizer: Tokenizer;
beforeAll(async () => {
	tokenizer = await Tokenizer.load(model);
});
afterAll(() => tokenizer.dispose());

const words = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });

test('offsets are code units, so that slicing the text gives each token', () => {
	const text = 'I 😀 naïve 한국 [SEP] 𝒳 cafe\u0301';
	const { tokens, offsets } = words(text);
	expect(tokens.length).toBe(offsets.length);
	expect(offsets.map(([start, end]) => text.slice(start, end))).toEqual([
		...['I', '😀', 'naïve', ...Array(3).fill('한'), ...Array(3).fill('국')],
		...['[SEP]', '𝒳', 'cafe'],
	]);
});

test('lone surrogates count as U+FFFD and are deleted, NUL bytes too', () => {
	expect(words('a\ud800b').ids).toEqual([11113]);
	expect(words('\udc00a\udc00\ud800b\ud800').ids).toEqual([11113]);
	expect(words('a\u0000b').ids).toEqual([11113]);
	expect(words('a\u0000b').offsets).toEqual([[0, 3]]);
});

test('special tokens in a text can be read as text', () => {
	expect(words('a[SEP]b').tokens).toEqual(['a', '[SEP]', 'b']);
	expect(tokenizer.encode('a[SEP]b', { addSpecialTokens: false, matchSpecialTokens: false }).tokens).toEqual(['a', '[', 'sep', ']', 'b']);
});

test('a batch has the rows that its texts have one by one', async () => {
	const texts = ['', 'I feel fine', 'ﬁnance [MASK] café 日本', ' \t', 'x'.repeat(101)];
	const options = { maxLength: 6 };
	const { ids, offsets, spans, truncated } = await tokenizer.encodeBatch(texts, { ...options, spans: true });
	for (const [row, text] of texts.entries()) {
		const one = tokenizer.encode(text, options);
		const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
		expect(Array.from(ids.subarray(start, end))).toEqual(one.ids);
		expect(Array.from(spans?.subarray(2 * start, 2 * end) ?? [])).toEqual(one.offsets.flat());
		expect(truncated[row] === 1).toBe(one.truncated);
	}
	expect((await tokenizer.encodeBatch(texts)).spans).toBeUndefined();
});

test('an empty batch has no rows', async () => {
	const { ids, offsets, truncated } = await tokenizer.encodeBatch([]);
	expect([ids.length, Array.from(offsets), truncated.length]).toEqual([0, [0], 0]);
});

test('tokens are counted with [CLS] and [SEP]', () => {
	expect(tokenizer.count('I feel fine')).toBe(5);
	expect(tokenizer.count('')).toBe(2);
});

test('exactly maxLength tokens are not cut, one more is, white space behind them is not', () => {
	const fits = 'word '.repeat(510);
	expect(tokenizer.encode(fits, { maxLength: 512 })).toMatchObject({ truncated: false });
	expect(tokenizer.encode(`${fits}${' '.repeat(1000)}\u0301`, { maxLength: 512 })).toMatchObject({ truncated: false });
	const cut = tokenizer.encode(`${fits}word`, { maxLength: 512 });
	expect([cut.ids.length, cut.truncated, cut.ids.at(-1)]).toEqual([512, true, 102]);
	expect(tokenizer.encode('a b', { maxLength: 2 })).toMatchObject({ ids: [101, 102], truncated: true });
	expect(tokenizer.encode('a b c', { maxLength: 2, addSpecialTokens: false })).toMatchObject({ tokens: ['a', 'b'], truncated: true });
});

test('texts of megabytes are encoded', () => {
	const sentence = 'The quick brown fox. ';
	const long = tokenizer.encode(sentence.repeat(100_000));
	expect(long.ids.length).toBe(2 + 5 * 100_000);
	expect(tokenizer.encode(sentence.repeat(500_000), { maxLength: 512 })).toMatchObject({ truncated: true });
	expect(words('x'.repeat(10_000_000))).toMatchObject({ ids: [100], offsets: [[0, 10_000_000]] });
});

test('a million combining marks in falling order are sorted and deleted', () => {
	// 0301 has class 230, 0323 has 220, 1D165 has 216 and is no non-spacing mark: it stays and makes the word unknown.
	expect(words(`a${'\u0301\u0323'.repeat(500_000)}b`)).toMatchObject({ ids: [11113], offsets: [[0, 1_000_002]] });
	expect(words(`a${'\u0301\u{1D165}\u0323'.repeat(250_000)}b`).ids).toEqual([100]);
});

test('maxLength below two or not whole is refused', async () => {
	for (const maxLength of [1, 0, -1, 2.5, Number.NaN, 2 ** 31]) {
		expect(() => tokenizer.encode('a', { maxLength })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
		await expect(tokenizer.encodeBatch(['a'], { maxLength })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
	}
	expect(tokenizer.encode('a', { maxLength: 1e9 }).ids).toEqual([101, 1037, 102]);
});

test('what is not a text is refused', async () => {
	expect(() => tokenizer.encode(5 as unknown as string)).toThrow('Expected a text, got number');
	await expect(tokenizer.encodeBatch(['a', null as unknown as string])).rejects.toMatchObject({ code: 'TEXT_INVALID' });
});

test('decoding leaves out ids that have no token and opens a text that starts inside a word', () => {
	expect(tokenizer.decode([101, 7592, 99_999_999, -1, 0.5, 2088, 102])).toBe('[CLS] hello world [SEP]');
	expect(tokenizer.decode(Int32Array.of(2075, 2075))).toBe('##inging');
	expect(tokenizer.decode([])).toBe('');
});

test('a disposed tokenizer refuses every call; a batch under way still arrives', async () => {
	const own = await Tokenizer.load(model);
	const batch = own.encodeBatch(Array(2000).fill('a batch under way'));
	own.dispose();
	own.dispose();
	expect((await batch).truncated.length).toBe(2000);
	const closed = { code: 'TOKENIZER_CLOSED' };
	expect(() => own.encode('a')).toThrow(expect.objectContaining(closed));
	expect(() => own.count('a')).toThrow(expect.objectContaining(closed));
	expect(() => own.decode([101])).toThrow(expect.objectContaining(closed));
	await expect(own.encodeBatch(['a'])).rejects.toMatchObject(closed);
});
