import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkData } from '../lib/data/check/check.js';
import { mended, troublesOf } from '../lib/data/check/encoding.js';
import { GiveawayTally, WordTally } from '../lib/data/check/giveaway.js';
import { estimate, LengthTally } from '../lib/data/check/lengths.js';
import { oddityOf } from '../lib/data/check/odd.js';
import { FINDINGS } from '../lib/data/check/report.js';
import { ALIKE_BYTES, areAlike, SIGNATURE_BYTES, sign } from '../lib/data/check/signature.js';
import { excerpt, normalised, wordsOf } from '../lib/data/check/text.js';
import type { Row } from '../lib/data/row.js';
import { type CheckOptions, Dataset } from '../lib/dataset.js';
import { Tokenizer } from '../lib/tokenizer.js';
import { fixture, root } from './models.js';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-check-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
}

let seed = 1;
const random = () => {
	seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
	return (seed >>> 0) / 2 ** 32;
};
const vocabulary = Array.from({ length: 3000 }, (_, word) => `w${(word * 7919).toString(36)}`);
const sentence = (words: number) => Array.from({ length: words }, () => vocabulary[Math.floor(random() * vocabulary.length)]).join(' ');
/** Rows nothing is wrong with, half of them of each label. */
const healthy = (count: number): Row[] => Array.from({ length: count }, (_, row) => ({ text: sentence(20), label: row % 2 === 0 ? 'ham' : 'spam' }));

const check = (rows: readonly Row[], against?: readonly Row[], options?: CheckOptions) => Dataset.fromArray(rows).check(against, options);
async function finding(code: string, rows: readonly Row[], against?: readonly Row[]) {
	return (await check(rows, against)).findings.find((each) => each.code === code);
}

describe('healthy data', () => {
	it('has nothing to find, alone and against other data', async () => {
		const report = await check(healthy(400), healthy(200));
		expect(report.findings).toEqual([]);
		expect(report.verdict).toBe('Ready to train on: nothing was found that stands in the way.');
		expect(report.data).toMatchObject({ source: 'rows in memory', unit: 'Row', rows: 400, labels: { ham: 200, spam: 200 } });
		expect(report.against).toMatchObject({ rows: 200 });
	});
});

describe('texts that stand there twice', () => {
	const base = healthy(100);
	const [first] = base as [Row];

	it('are found whatever their case, Unicode form and spacing, and counted where they are the same to the letter', async () => {
		const twice = [
			...base,
			{ ...first },
			{ text: `  ${first.text.toUpperCase().replaceAll(' ', '\t ')}\n`, label: 'ham' },
			{ text: 'caf\u00e9 au lait', label: 'ham' },
			{ text: 'cafe\u0301 au lait', label: 'ham' },
		];
		const found = await finding('DUPLICATE', twice);
		expect(found).toMatchObject({ severity: 'warning', count: 3, lines: [101, 102, 104] });
		expect(found?.message).toBe('3 rows (2.9%) repeat the text of a row before them, case and spacing aside; 1 of them to the letter, label and all');
		expect(found?.examples[0]).toMatchObject({ line: 101, label: 'ham', other: { line: 1, source: 'rows in memory' } });
	});

	it('with different labels are a conflict', async () => {
		const found = await finding('LABEL_CONFLICT', [...base, { text: first.text, label: 'spam' }]);
		expect(found).toMatchObject({ severity: 'warning', count: 2, lines: [1, 101] });
		expect(found?.examples).toMatchObject([
			{ line: 1, label: 'ham', other: { line: 101, label: 'spam' } },
			{ line: 101, label: 'spam', other: { line: 1, label: 'ham' } },
		]);
	});

	it('in the data to measure on too are a leak, empty texts aside', async () => {
		const against = [
			...healthy(50),
			{ text: first.text.toUpperCase(), label: 'ham' },
			{ text: base[3]?.text as string, label: 'ham' },
			{ text: ' ', label: 'ham' },
		];
		const report = await check([...base, { text: '', label: 'ham' }], against);
		const found = report.findings.find(({ code }) => code === 'LEAK');
		expect(found).toMatchObject({ severity: 'error', count: 2, lines: [1, 4] });
		expect(found?.message).toBe(
			'2 rows of rows in memory (3.8%) stand in rows in memory too, case and spacing aside, in 2 rows there; 1 of them with another label',
		);
		expect(found?.examples[1]).toMatchObject({ line: 4, label: 'spam', other: { line: 52, label: 'ham' } });
		expect(report.verdict).toBe('Not ready: one thing to mend before a training, 2 things to look at.');
	});

	it('nearly, are found within and across, the same texts with a word changed', async () => {
		const words = (first.text as string).split(' ');
		const changed = [...words.slice(0, 10), 'another', ...words.slice(11)].join(' ');
		expect(await finding('NEAR_DUPLICATE', [...base, { text: changed, label: 'ham' }])).toMatchObject({ severity: 'info', count: 1, lines: [101] });
		expect(await finding('NEAR_LEAK', base, [...healthy(30), { text: changed, label: 'ham' }])).toMatchObject({
			severity: 'warning',
			count: 1,
			lines: [31],
			examples: [{ line: 31, other: { line: 1 } }],
		});
		const half = [...words.slice(0, 10), ...sentence(10).split(' ')].join(' ');
		expect(await finding('NEAR_DUPLICATE', [...base, { text: half, label: 'ham' }])).toBeUndefined();
	});

	// A row of 100,000 may cost 4 times what one of 10,000 does, for caches and garbage; were the time quadratic it would cost 10 times.
	it.each([
		['unlike each other', (row: number) => `${sentence(8)} ${row}`],
		['all nearly the same', (row: number) => `the same long text with only a number that differs at its very end, and nothing else ${row}`],
		['all the same', () => 'always the very same text in each of the rows'],
	])('take time that grows with the rows and no faster: %s', async (_, text) => {
		const measure = async (count: number) => {
			const rows = Array.from({ length: count }, (__, row) => ({ line: row + 1, text: text(row), label: row % 2 }));
			const walk = async function* () {
				yield* rows;
			};
			const started = process.cpuUsage();
			const origin = { name: 'rows', unit: 'Row' } as const;
			await checkData({ origin, format: undefined, columns: { text: 'text', label: 'label' }, walk }, undefined, estimate);
			return process.cpuUsage(started).user / count;
		};
		await measure(2000); // compiles
		expect(await measure(100_000)).toBeLessThan(4 * (await measure(10_000)));
	});
});

describe('likeness', () => {
	// The true share of windows two texts have in common, from sets.
	const windows = (text: string) => new Set(Array.from({ length: text.length - 4 }, (_, at) => text.slice(at, at + 5)));
	const jaccard = (a: string, b: string) => {
		const [left, right] = [windows(a), windows(b)];
		const both = [...left].filter((window) => right.has(window)).length;
		return both / (left.size + right.size - both);
	};

	it('is estimated to within its error', () => {
		const errors = Array.from({ length: 300 }, (_, round) => {
			const words = sentence(40).split(' ');
			const other = words.map((word, index) => (index < (round % 20) * 2 ? (vocabulary[Math.floor(random() * 3000)] as string) : word));
			const [a, b] = [words.join(' '), other.join(' ')];
			const [left, right] = [new Uint8Array(SIGNATURE_BYTES), new Uint8Array(SIGNATURE_BYTES)];
			expect([sign(a, left), sign(b, right)]).toEqual([true, true]);
			const equal = left.reduce((sum, byte, at) => sum + Number(byte === right[at]), 0);
			expect(areAlike(left, right)).toBe(equal >= ALIKE_BYTES);
			return equal / SIGNATURE_BYTES - jaccard(a, b);
		});
		const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
		const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
		// 64 bytes: a standard deviation of at most .5/8 = .0625 each, .0036 for the mean of 300.
		expect(Math.abs(mean)).toBeLessThan(0.015);
		expect(deviation).toBeLessThan(0.075);
	});

	it('is not asked of texts of a few words, and has an end where all windows are one', () => {
		const signature = new Uint8Array(SIGNATURE_BYTES);
		expect(sign('short text', signature)).toBe(false);
		expect(sign('a'.repeat(1000), signature)).toBe(true);
	});
});

describe('a word that gives a label away', () => {
	const withWord = (count: number, share: number, strays = 0, label = 'spam') =>
		healthy(count).map((row, index) => {
			const marked = row.label === label ? (index >> 1) / (count / 2) < share : index >> 1 < strays;
			return marked ? { ...row, text: `${row.text} Unsubscribe!` } : row;
		});

	it.each([0.1, 0.5, 1])('is found in a share of %d of its rows', async (share) => {
		const found = await finding('GIVEAWAY_WORD', withWord(400, share));
		expect(found).toMatchObject({ severity: 'warning', count: 200 * share });
		expect(found?.message).toBe(
			`"unsubscribe" gives "spam" away: 100% of the ${200 * share} rows with the word have the label, and ${100 * share}% of its rows have the word`,
		);
		expect(found?.lines[0]).toBe(2);
		expect(found?.examples[0]?.text).toMatch(/Unsubscribe!$/);
	});

	it('need not be without a stray, but nearly', async () => {
		expect(await finding('GIVEAWAY_WORD', withWord(2000, 0.5, 5))).toMatchObject({ count: 505 });
		expect(await finding('GIVEAWAY_WORD', withWord(2000, 0.5, 6))).toBeUndefined(); // 98.8%
	});

	it('is none in fewer than a tenth of the rows, or in so few that chance may have done it', async () => {
		expect(await finding('GIVEAWAY_WORD', withWord(2000, 0.09))).toBeUndefined();
		expect(await finding('GIVEAWAY_WORD', withWord(60, 0.2))).toBeUndefined(); // 6 rows
	});

	it('is none where the label is on nearly every row anyway', async () => {
		const rows = healthy(2000).map((row, index) => ({
			text: index % 3 === 0 ? `${row.text} common` : row.text,
			label: index % 500 === 1 ? 'rare' : 'usual',
		}));
		expect(await finding('GIVEAWAY_WORD', rows)).toBeUndefined();
	});

	it('is counted in full whatever was forgotten on the way', () => {
		const tally = new WordTally();
		const rows = Array.from(
			{ length: 30_000 },
			(_, row) => new Set([...Array.from({ length: 60 }, (__, word) => `only${row}-${word}`), row % 9 === 0 ? 'often' : 'x']),
		);
		for (const row of rows) tally.add(row, 0); // 1.8 million words
		const candidates = tally.candidates();
		expect([...candidates].sort()).toEqual(['often', 'x']);
		const counted = new GiveawayTally(candidates);
		for (const [line, words] of rows.entries()) counted.add(words, [0], line, 'text', 'a');
		expect(counted.found([30_000, 30_000], 60_000)).toMatchObject([
			{ word: 'x', withLabel: 26_666, precision: 1 },
			{ word: 'often', withLabel: 3334, precision: 1 },
		]);
	});

	it('is found in the depression posts, by its numbers alone', async () => {
		const posts = (name: string) => join(root, 'examples', 'depression', name);
		const report = await Dataset.fromCsv(posts('train.csv')).check(posts('eval.csv'));
		const [found] = report.findings;
		expect(found).toMatchObject({ code: 'GIVEAWAY_WORD', count: 846 });
		expect(found?.message).toMatch(
			/^"depression" gives "depression" away: 100% of the 846 rows .* and 34\.4% of its rows have the word; so does "anxiety"$/,
		);
		expect(report.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
		expect(report.data.labels).toEqual({ control: 2542, depression: 2458 });
	});
});

describe('labels', () => {
	it.each<[string, Row[], string]>([
		['ONE_LABEL', healthy(50).map(({ text }) => ({ text, label: 'a' })), 'Every row has the label "a"'],
		[
			'LABEL_SPELLING',
			[...healthy(60), ...healthy(30).map(({ text }) => ({ text, label: 'Spam ' }))],
			'The labels "spam", "Spam " differ in case or spacing only',
		],
		['LABEL_RARE', [...healthy(60), { text: sentence(20), label: 'other' }], 'The label "other" has fewer than 10 rows'],
		[
			'LABEL_IMBALANCE',
			[...healthy(20), ...healthy(200).map(({ text }) => ({ text, label: 'ham' }))],
			'"ham" has 21 times the rows of "spam": 210 against 10',
		],
		['TOO_MANY_LABELS', Array.from({ length: 10_001 }, (_, label) => ({ text: sentence(4), label })), 'There are more than 10,000 labels'],
	])('%s', async (code, rows, message) => {
		expect((await finding(code, rows))?.message).toBe(message);
	});

	it('are no classes where they are many numbers with fractions', async () => {
		const { findings } = await check(healthy(200).map(({ text }, row) => ({ text, label: row / 8 })));
		expect(findings).toEqual([]);
	});

	it('that only one of two data sets has', async () => {
		const odd = healthy(40).map(({ text }, row) => ({ text, label: row % 2 === 0 ? 'ham' : 'eggs' }));
		const { findings } = await check(healthy(40), odd);
		expect(findings.map(({ code, severity, message }) => [code, severity, message])).toEqual([
			['LABEL_UNKNOWN', 'error', 'rows in memory has no row with "eggs"'],
			['LABEL_MISSING', 'info', 'There is no row with "spam"'],
		]);
	});
});

describe('texts that are hardly texts', () => {
	it.each([
		['TEXT_EMPTY', ' \n\u00a0\ufeff'],
		['TEXT_WITHOUT_WORDS', '!!! 123 :-) 🙂'],
		['TEXT_ONLY_LINK', 'https://example.org/a?b www.example.org'],
		['TEXT_UNBROKEN', `see ${'aB3+'.repeat(30)}`],
		['TEXT_VERY_SHORT', 'ok'],
		['TEXT_VERY_LONG', 'so long '.repeat(2600)],
		[undefined, '猫が好きです。'.repeat(30)],
		[undefined, 'see https://example.org, it is fine'],
	])('%s', async (code, text) => {
		expect(oddityOf(text)).toBe(code);
		if (code !== undefined) expect(await finding(code, [...healthy(20), { text, label: 'ham' }])).toMatchObject({ count: 1, lines: [21] });
	});

	it('are looked at in time that grows with their length', () => {
		const started = process.cpuUsage();
		for (const text of ['www.'.repeat(2e6), '<p '.repeat(2e6), `${'a'.repeat(100)} `.repeat(1e5), '&amp'.repeat(2e6), 'Ã'.repeat(4e6)]) {
			oddityOf(text);
			troublesOf(text);
			wordsOf(normalised(text));
		}
		// 40 MB take some 5 s of a CPU; were any of it quadratic, hours.
		expect(process.cpuUsage(started).user).toBeLessThan(30e6);
	});
});

describe('encoding', () => {
	it.each([
		['TEXT_DAMAGED', 'caf\ufffd'],
		['TEXT_DAMAGED', 'half \ud83d of it'],
		['TEXT_MOJIBAKE', 'itâ€™s a cafÃ©'],
		['TEXT_NUL', 'a\0b'],
		['TEXT_BOM', 'one\ufefftwo'],
		['TEXT_CONTROL', 'bell\u0007'],
		['TEXT_HTML', 'fish &amp; chips'],
		['TEXT_HTML', 'a<br/>b'],
	])('%s in %j', async (code, text) => {
		expect(troublesOf(text)).toEqual([code]);
		expect(await finding(code, [...healthy(20), { text, label: 'ham' }])).toMatchObject({ count: 1, lines: [21] });
	});

	it.each([
		'tabs\tand\r\nlines',
		'AT&T; 1 < 2 > 0',
		'naïve café – “quoted” 漢字 🙂',
		'“IRMÃ” e “CAFÉ”, «VOILÀ»',
		'São João Ã Â',
		'Ünder Äpfel “Ä”',
		'Привет',
		'½ ± 5°',
	])('finds nothing in %j', (text) => {
		expect(troublesOf(text)).toEqual([]);
		expect(mended(text)).toBe(text);
	});

	it.each([
		['itâ€™s a cafÃ©', 'it’s a café'],
		['naÃ¯ve â€“ â€œquotedâ€\u009d', 'naïve – “quoted”'],
		['smile ðŸ™‚!', 'smile 🙂!'],
		['Ð¿Ñ€Ð¸Ð²ÐµÑ‚ Ð¸ Ñ\u008f', 'привет и я'],
		['ÎºÎ±Î»Î·Î¼Î­ÏÎ±', undefined], // a byte is missing: not certain
		['Â£5 Â½ Â±', '£5 ½ ±'],
	])('reads %j again where that is certain', (wrong, right) => {
		expect(mended(wrong)).toBe(right ?? wrong);
		if (right !== undefined) expect(mended(Buffer.from(right).toString('latin1'))).toBe(right);
	});

	it('is looked through where the file is not UTF-8 at all, with the lines', async () => {
		const path = file('latin.csv', Buffer.concat([Buffer.from('text,label\nfine,a\ncaf'), Buffer.from([0xe9]), Buffer.from(',b\nok then,a\n')]));
		const report = await Dataset.from(path).check();
		expect(report.data.rows).toBe(3);
		expect(report.findings.filter(({ code }) => code === 'NOT_UTF8' || code === 'TEXT_DAMAGED')).toMatchObject([
			{ code: 'NOT_UTF8', message: expect.stringContaining('at offset 21') },
			{ code: 'TEXT_DAMAGED', lines: [3] },
		]);
	});
});

describe('rows that cannot be read', () => {
	it('are found with their lines and reasons, and the others checked', async () => {
		const path = file('ragged.csv', 'text,label\nfine,a\none,two,three\nbad,\nok then,b\n');
		const report = await Dataset.from(path).check();
		expect(report.data.rows).toBe(2);
		expect(report.findings[0]).toMatchObject({ code: 'ROW_UNREADABLE', severity: 'error', count: 2, lines: [3, 4] });
		expect(report.findings[0]?.examples[0]?.text).toContain('expected 2 fields as in the header, got 3');
	});

	it('that end the reading are found too; without any row there is nothing to check', async () => {
		const { findings } = await Dataset.from(file('open.csv', 'text,label\nfine,a\nbad,b\n"open,a\n')).check();
		expect(findings[0]).toMatchObject({ code: 'READING_ENDED', severity: 'error', count: 1, lines: [4] });
		await expect(Dataset.from(file('none.csv', 'text,label\n"open,a\n')).check()).rejects.toMatchObject({ code: 'QUOTE_NOT_CLOSED' });
		await expect(Dataset.from(file('nothing.jsonl', '{"text":1,"label":2}\n')).check()).rejects.toMatchObject({ code: 'TEXT_INVALID' });
		await expect(Dataset.from(join(folder, 'missing.csv')).check()).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
	});
});

describe('lengths', () => {
	it('are those of the tokenizer of the model', async () => {
		const rows = Array.from({ length: 40 }, (_, row) => ({ text: 'a '.repeat(row * 20), label: row % 2 }));
		const tokenizer = await Tokenizer.load(fixture('tiny-model'));
		const counts = rows.map(({ text }) => tokenizer.count(text));
		tokenizer.dispose();
		const { lengths } = (await check(rows, undefined, { model: fixture('tiny-model') })).data;
		const over = (maxLength: number) => counts.filter((count) => count > maxLength).length;
		expect(lengths.countedBy).toBe(fixture('tiny-model'));
		expect(lengths.max).toBe(Math.max(...counts));
		expect(lengths.truncated).toEqual([64, 128, 256, 512].map((maxLength) => ({ maxLength, rows: over(maxLength), share: over(maxLength) / 40 })));
	});

	it('refuse a model that is not there, and are estimated where none was named and none is found', async () => {
		await expect(check(healthy(20), undefined, { model: 'nowhere' })).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
		const posts: string[] = [];
		for await (const { text } of Dataset.fromCsv(join(root, 'examples', 'depression', 'eval.csv'))) posts.push(text);
		const tokenizer = await Tokenizer.load('minilm-l6');
		const { offsets } = await tokenizer.encodeBatch(posts);
		tokenizer.dispose();
		const estimated = Array.from(await estimate.count(posts)).reduce((sum, count) => sum + count, 0);
		expect(estimated / (offsets.at(-1) as number)).toBeCloseTo(1, 0); // within half: it is an estimate, and says so
	});

	it('have the median, the mean and the longest of them', () => {
		const tally = new LengthTally();
		for (const length of [3, 5, 5, 700, 10_000]) tally.add(length);
		expect(tally.lengths('a model')).toMatchObject({
			countedBy: 'a model',
			median: 5,
			mean: 2142.6,
			max: 10_000,
			truncated: [{}, {}, {}, { rows: 2, share: 0.4 }],
		});
	});

	it('matter where many texts are cut', async () => {
		const long = (count: number) => [...healthy(100), ...Array.from({ length: count }, () => ({ text: sentence(400), label: 'ham' }))];
		expect(await finding('TEXT_TRUNCATED', long(3))).toMatchObject({ severity: 'info', count: 3, lines: [101, 102, 103] });
		expect(await finding('TEXT_TRUNCATED', long(10))).toMatchObject({ severity: 'warning' });
	});
});

describe('--fix', () => {
	const bad = [
		['fine, then', 'a'],
		['fine, then', 'a'],
		['fine, then', 'b'],
		[' ', 'a'],
		['in both', 'b'],
		['itâ€™s\0 "quoted"', 'b'],
		['last', 'a'],
	] as const;
	const against = [
		{ text: 'IN  both', label: 'b' },
		{ text: 'other', label: 'a' },
	];
	const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;

	it('writes a table again, other columns, quotes and line breaks included', async () => {
		const lines = bad.map(([text, label], row) => `${row},${quote(text)},${label}\r\n`);
		const path = file('bad.csv', `\ufeffid,text,label\r\n${lines.join('')}`);
		const out = join(folder, 'fixed.csv');
		const { repairs } = await Dataset.from(path).check(against, { fix: out });
		expect(readFileSync(out, 'utf8')).toBe(`id,text,label\r\n${lines[0]}${lines[2]}5,"it’s ""quoted""",b\n${lines[6]}`);
		expect(repairs).toEqual({
			output: out,
			rows: 4,
			dropped: {
				copies: { count: 1, lines: [3] },
				empty: { count: 1, lines: [5] },
				leaked: { count: 1, lines: [6] },
				unreadable: { count: 0, lines: [] },
			},
			mended: { count: 1, lines: [7] },
		});
		const again = await Dataset.from(out).check(against);
		expect(again.findings.map(({ code }) => code)).not.toEqual(expect.arrayContaining(['LEAK']));
	});

	it.each<[string, (rows: object[]) => string]>([
		['jsonl', (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')],
		['json', (rows) => `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`],
	])('writes .%s again, other keys included, gzip where asked', async (ending, written) => {
		const rows = bad.map(([text, label], id) => ({ id, label, text, nested: { id } }));
		const path = file(`bad.${ending}`, written(rows));
		const kept = [rows[0], rows[2], { ...rows[5], text: 'it’s "quoted"' }, rows[6]] as object[];
		const out = join(folder, `fixed.${ending}`);
		await Dataset.from(path).check(against, { fix: out });
		expect(readFileSync(out, 'utf8')).toBe(written(kept));
		await Dataset.from(file(`packed.${ending}.gz`, gzipSync(written(rows)))).check(against, { fix: `${out}.gz` });
		expect(gunzipSync(readFileSync(`${out}.gz`)).toString()).toBe(written(kept));
	});

	it('writes Label Studio tasks again as they were', async () => {
		const task = (text: string, choice?: string) => ({
			id: 7,
			data: { text },
			annotations: [{ result: choice === undefined ? [] : [{ type: 'choices', from_name: 'c', value: { choices: [choice] } }] }],
		});
		const path = file('tasks.json', JSON.stringify([task('one', 'a'), task('one', 'a'), task('nobody'), task('a\0b', 'b')]));
		const out = join(folder, 'tasks-fixed.json');
		await Dataset.from(path).check(undefined, { fix: out });
		expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual([task('one', 'a'), task('ab', 'b')]);
	});

	it('writes Parquet, folders and rows from memory as JSON lines', async () => {
		const out = join(folder, 'rows.jsonl');
		const { repairs } = await Dataset.from(fixture('parquet/snappy.parquet'), { labelColumn: 'number' }).check(undefined, { fix: out });
		expect(repairs?.rows).toBe(40);
		expect(JSON.parse(readFileSync(out, 'utf8').split('\n')[1] as string)).toEqual({ text: 'row 1 é漢🙂 end', number: 1 });
	});

	it('leaves out what cannot be read, and says so', async () => {
		const out = join(folder, 'ragged-fixed.csv');
		const { repairs } = await Dataset.from(file('ragged.csv', 'text,label\na b,a\nx\nc d,b\n')).check(undefined, { fix: out });
		expect(repairs?.dropped.unreadable).toEqual({ count: 1, lines: [3] });
		expect(readFileSync(out, 'utf8')).toBe('text,label\na b,a\nc d,b\n');
	});

	it('refuses another format, the data itself, a file that is not UTF-8 or ends early, and what cannot be written, and leaves nothing behind', async () => {
		const path = file('ok.csv', 'text,label\na b,a\nc d,b\n');
		const fixed = (data: string, fix: string) => Dataset.from(data).check(undefined, { fix });
		await expect(fixed(path, join(folder, 'x.jsonl'))).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
		await expect(fixed(path, path)).rejects.toThrow('Expected another file than');
		await expect(fixed(path, join(folder, 'no', 'x.csv'))).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
		const latin = file('latin.csv', Buffer.from('text,label\ncaf\xe9,a\nc d,b\n', 'latin1'));
		await expect(fixed(latin, join(folder, 'x.csv'))).rejects.toMatchObject({ code: 'NOT_UTF8' });
		await expect(fixed(file('open.csv', 'text,label\na b,a\n"c,b\n'), join(folder, 'x.csv'))).rejects.toMatchObject({ code: 'QUOTE_NOT_CLOSED' });
		await expect(fixed(file('blank.csv', 'text,label\n,a\n ,b\n'), join(folder, 'x.csv'))).rejects.toMatchObject({ code: 'NO_ROWS' });
		expect(readdirSync(folder).filter((name) => /^x\.|tmp/.test(name))).toEqual([]);
	});
});

describe('what people see', () => {
	it('is one line of a text, without what a terminal obeys', () => {
		expect(excerpt('  a\n\tb \u001b[31mred\u202e end ')).toBe('a b ·[31mred· end');
		expect(excerpt('🙂'.repeat(100))).toBe(`${'🙂'.repeat(45)}…`);
		expect(excerpt('x'.repeat(90))).toBe('x'.repeat(90));
	});

	it('is explained for every finding there can be', () => {
		const explained = readFileSync(join(root, 'docs', 'data.md'), 'utf8');
		for (const [code, [severity]] of Object.entries(FINDINGS)) expect(explained, code).toMatch(new RegExp(`\\| \`${code}\` \\| ${severity} \\|`));
	});
});
