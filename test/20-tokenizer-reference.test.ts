import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EncodeOptions, Tokenizer } from '../lib/tokenizer.js';
import { fixture, root } from './models.js';

// Exactly what Hugging Face gives: test/fixtures/tokenizer/README.md.

interface Row {
	readonly ids: number[];
	readonly offsets: [number, number][];
}

const unpacked = async (name: string) => gunzipSync(await readFile(fixture(`tokenizer/${name}`))).toString('utf8');
async function lines<Line>(name: string): Promise<Line[]> {
	const text = await unpacked(name);
	return text
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line) as Line);
}

/** Place in code points of each place in code units. */
function codePointPlaces(text: string): number[] {
	const places: number[] = [];
	let count = 0;
	for (const character of text) {
		for (let unit = 0; unit < character.length; unit++) places.push(count);
		count++;
	}
	return [...places, count];
}

function encode(tokenizer: Tokenizer, text: string, options?: EncodeOptions) {
	const places = codePointPlaces(text);
	const { ids, tokens, offsets } = tokenizer.encode(text, options);
	return { ids, tokens, offsets: offsets.map(([start, end]) => [places[start], places[end]]) };
}

let tokenizer: Tokenizer;
let folder: string;
beforeAll(async () => {
	tokenizer = await Tokenizer.load(join(root, 'models', 'minilm-l6'));
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
});
afterAll(async () => {
	tokenizer.dispose();
	await rm(folder, { recursive: true });
});

test('every text has the ids, tokens and offsets of the reference', async () => {
	const cases = await lines<Row & { text: string; tokens: string[] }>('cases.jsonl.gz');
	expect(cases).toHaveLength(2878);
	for (const { text, ids, tokens, offsets } of cases) expect(encode(tokenizer, text), JSON.stringify(text)).toEqual({ ids, tokens, offsets });
});

test('every Unicode scalar value between two letters has the ids of the reference', async () => {
	const { groups } = JSON.parse(await unpacked('codepoints.json.gz')) as { groups: { ids: number[]; ranges: string }[] };
	let scalars = 0;
	const wrong: string[] = [];
	for (const { ids, ranges } of groups) {
		const codes: number[] = [];
		for (const range of ranges.split(',')) {
			const [first, last = first] = range.split('-').map((digits) => Number.parseInt(digits, 16)) as [number, number?];
			for (let code = first; code <= last; code++) codes.push(code);
		}
		const texts = codes.map((code) => `a${String.fromCodePoint(code)}b`);
		const got = await tokenizer.encodeBatch(texts, { addSpecialTokens: false });
		const expected = ids.join();
		for (const [row, code] of codes.entries()) {
			const rowIds = got.ids.subarray(got.offsets[row], got.offsets[row + 1]).join();
			if (rowIds !== expected) wrong.push(`U+${code.toString(16)}: ${rowIds}, expected ${expected}`);
		}
		scalars += codes.length;
	}
	expect(wrong).toEqual([]);
	expect(scalars).toBe(0x110000 - 0x800);
});

test('a text is cut where the reference cuts it, and says so', async () => {
	for (const { text, max_length, ids, offsets } of await lines<Row & { text: string; max_length: number }>('truncation.jsonl.gz')) {
		expect(encode(tokenizer, text, { maxLength: max_length }), JSON.stringify([max_length, text])).toMatchObject({ ids, offsets });
		const { truncated } = tokenizer.encode(text, { maxLength: max_length });
		expect(truncated, JSON.stringify([max_length, text])).toBe(tokenizer.count(text) > max_length);
	}
});

test.each([
	['lower_false', { do_lower_case: false }],
	['strip_true', { strip_accents: true }],
	['strip_false', { strip_accents: false }],
	['chinese_false', { tokenize_chinese_chars: false }],
	['lower_false_strip_true', { do_lower_case: false, strip_accents: true }],
])('with the setting %s in tokenizer_config.json ids and offsets are those of the reference', async (name, config) => {
	await writeFile(join(folder, 'vocab.txt'), await readFile(join(root, 'models', 'minilm-l6', 'vocab.txt')));
	await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
	using variant = await Tokenizer.load(folder);
	for (const line of await lines<{ text: string } & Record<string, Row>>('variants.jsonl.gz')) {
		expect(encode(variant, line.text), JSON.stringify(line.text)).toMatchObject(line[name] as Row);
	}
});

test('ids become the text of the reference, special tokens kept or skipped, cleaned up once or twice', async () => {
	interface Texts {
		default: string;
		cleaned_twice: string;
	}
	for (const { ids, keep, skip } of await lines<{ ids: number[]; keep: Texts; skip: Texts }>('decode.jsonl.gz')) {
		expect(tokenizer.decode(ids)).toBe(keep.default);
		expect(tokenizer.decode(ids, { cleanUpTokenizationSpaces: true })).toBe(keep.cleaned_twice);
		expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skip.default);
		expect(tokenizer.decode(ids, { skipSpecialTokens: true, cleanUpTokenizationSpaces: true })).toBe(skip.cleaned_twice);
	}
});
