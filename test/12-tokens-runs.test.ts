import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	appendFileSync,
	closeSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataInput, Dataset, type Row, Tokenizer, Trainer, type TrainerConfig, type TrainerEvent } from '../lib/index.js';
import { loadBase } from '../lib/runtime/load.js';
import { pack, rowsOf } from '../lib/train/examples.js';
import { type ReadingOptions, type ReadResult, readRows } from '../lib/train/reading.js';
import { type PendingTokenFile, TokenCache, TokenCacheFailure } from '../lib/train/token-cache.js';
import { TokenSink } from '../lib/train/token-sink.js';
import { besideFindings } from './findings.js';
import { fixture, root } from './models.js';

const tiny = fixture('tiny-model');
const words = 'the friend happy free alone tired sad lost force bad feeling and so'.split(' ');
const rows: Row[] = Array.from({ length: 60 }, (_, row) => ({
	text: Array.from({ length: 1 + (row % 17) }, (__, word) => words[(row * 7 + word * 3) % words.length]).join(' '),
	label: ['calm', 'worried', 'alarmed'][row % 3] as string,
}));
const csvOf = (some: readonly Row[]) => `text,label\n${some.map(({ text, label }) => `${text},${label}\n`).join('')}`;

const folder = mkdtempSync(join(tmpdir(), 'distiltune-token-runs-'));
const csv = join(folder, 'rows.csv');
writeFileSync(csv, csvOf(rows));
const before = process.env.DISTILTUNE_TOKENS_DIR;
let places = 0;

/** From here on tokens are kept in this new folder. */
function freshCache(): string {
	process.env.DISTILTUNE_TOKENS_DIR = join(folder, `tokens-${places++}`);
	return join(process.env.DISTILTUNE_TOKENS_DIR, 'distiltune-tokens');
}
const filesIn = (place: string) => {
	try {
		return readdirSync(place);
	} catch {
		return [];
	}
};

afterAll(() => {
	process.env.DISTILTUNE_TOKENS_DIR = before;
	rmSync(folder, { recursive: true });
});

/** A short run: the bytes of what it learned, and what it told. */
async function run(changes: Partial<TrainerConfig>, onEvent: (event: TrainerEvent) => void = () => {}) {
	const outputDir = join(folder, 'out');
	await using trainer = new Trainer({ model: tiny, train: csv, numTrainEpochs: 1, threads: 1, outputDir, ...changes });
	const events: TrainerEvent[] = [];
	for await (const event of trainer.fit()) {
		onEvent(event);
		events.push(event);
	}
	return {
		hash: createHash('sha256')
			.update(readFileSync(join(outputDir, 'model.safetensors')))
			.digest('hex'),
		metrics: events.find((event) => event.type === 'evaluate')?.metrics,
		fromCache: events.some((event) => event.type === 'trainBegin' && event.tokensFromCache),
		warnings: besideFindings(events).flatMap((event) => (event.type === 'warning' ? [event.code] : [])),
	};
}

describe('a run on a file', () => {
	it('learns the same as one on memory, and a second time finds the tokens', async () => {
		const place = freshCache();
		const memory = await run({ train: rows });
		expect(filesIn(place)).toEqual([]);
		expect(await run({})).toEqual(memory);
		expect(filesIn(place)).toHaveLength(1);
		expect(await run({})).toEqual({ ...memory, fromCache: true });
	});

	it('holds the same rows back as one on memory, and measures the same', async () => {
		freshCache();
		const split = { eval: { split: 0.25 } };
		const memory = await run({ train: rows, ...split });
		expect(memory.metrics).toBeDefined();
		expect(await run(split)).toEqual(memory);
		expect(await run(split)).toEqual({ ...memory, fromCache: true });
		const other = join(folder, 'other.csv');
		writeFileSync(other, csvOf(rows.slice(0, 20)));
		const apart = await run({ train: rows, eval: rows.slice(0, 20) });
		expect(await run({ eval: other })).toEqual(apart);
		expect(await run({ eval: other })).toEqual({ ...apart, fromCache: true });
	});

	it('tokenizes anew after a change of one byte, of the tokenizer, of the cut, of the labels or columns', async () => {
		const place = freshCache();
		const changing = join(folder, 'changing.csv');
		writeFileSync(changing, csvOf(rows));
		const cased = join(folder, 'cased');
		cpSync(tiny, cased, { recursive: true });
		const settings = join(cased, 'tokenizer_config.json');
		writeFileSync(settings, JSON.stringify({ ...JSON.parse(readFileSync(settings, 'utf8')), do_lower_case: false }));
		const columns = join(folder, 'columns.csv');
		writeFileSync(columns, csvOf(rows).replace('text,label', 'post,label'));

		const fresh = async (changes: Partial<TrainerConfig>) => [await run(changes), await run(changes)].map(({ fromCache }) => fromCache);
		expect(await fresh({ train: changing })).toEqual([false, true]);
		expect(await fresh({ train: changing, model: cased })).toEqual([false, true]);
		expect(await fresh({ train: changing, maxLength: 9 })).toEqual([false, true]);
		expect(await fresh({ train: changing, labels: ['worried', 'calm', 'alarmed'] })).toEqual([false, true]);
		expect(await fresh({ train: columns, textColumn: 'post' })).toEqual([false, true]);
		expect(filesIn(place)).toHaveLength(5);
		// What changes nothing about the tokens: the name of the file, and how it is trained on.
		cpSync(changing, join(folder, 'copy.csv'));
		expect((await run({ train: join(folder, 'copy.csv'), learningRate: 1e-3, perDeviceTrainBatchSize: 4 })).fromCache).toBe(true);
		const file = openSync(changing, 'r+');
		writeSync(file, 'T', csvOf(rows).indexOf('the'));
		closeSync(file);
		expect(await fresh({ train: changing })).toEqual([false, true]);
	});

	it('is refused with the same words whether its tokens are there or not', async () => {
		freshCache();
		const words = (changes: Partial<TrainerConfig>) =>
			run(changes).then(
				() => 'none',
				({ message }: Error) => message,
			);
		const strict = { maxLength: 9, truncation: 'error' } as const;
		const first = await words(strict);
		expect(first).toMatch(/^Line 9 of .*: the text has more than 9 tokens$/);
		expect((await run({ maxLength: 9 })).warnings).toEqual(['TEXT_TRUNCATED']);
		expect(await words(strict)).toBe(first);
		expect((await run({ maxLength: 9 })).warnings).toEqual(['TEXT_TRUNCATED']);
		expect(await words({ labels: ['calm', 'worried'] })).toMatch(/^Line 4 of .*: label "alarmed" is not one of calm, worried$/);
	});

	it('makes a damaged file anew, with a warning', async () => {
		const place = freshCache();
		const { hash } = await run({});
		const [name = ''] = filesIn(place);
		for (const damage of [
			(path: string) => writeFileSync(path, readFileSync(path).subarray(0, -7)),
			(path: string) => writeFileSync(path, readFileSync(path).fill(1, 120, 121)),
			(path: string) => writeFileSync(path, ''),
			(path: string) => appendFileSync(path, 'more'),
		]) {
			damage(join(place, name));
			expect(await run({})).toMatchObject({ hash, fromCache: false, warnings: ['TOKEN_CACHE_DAMAGED'] });
			expect(filesIn(place)).toEqual([name]);
			expect(await run({})).toMatchObject({ hash, fromCache: true, warnings: [] });
		}
	});

	it('says once that its tokens stay in memory where they cannot be kept', async () => {
		const place = freshCache();
		const { hash } = await run({});
		rmSync(place, { recursive: true });
		writeFileSync(place, 'no folder');
		expect(await run({ eval: csv, evalStrategy: 'epoch' })).toMatchObject({ hash, fromCache: false, warnings: ['TOKEN_CACHE_UNUSABLE'] });
	});

	it('goes on where the cache is deleted under it', async () => {
		const place = freshCache();
		const whole = await run({ eval: { split: 0.25 }, numTrainEpochs: 3 });
		const deleted = await run({ eval: { split: 0.25 }, numTrainEpochs: 3 }, (event) => {
			if (event.type === 'step' && event.step === 2 && process.platform !== 'win32') rmSync(place, { recursive: true });
		});
		expect(deleted).toEqual({ ...whole, fromCache: true });
		expect((await run({})).fromCache).toBe(false);
	});

	it('leaves nothing where it is stopped while it reads', async () => {
		const place = freshCache();
		const long = join(folder, 'long.csv');
		writeFileSync(long, csvOf(Array.from({ length: 200 }, () => rows).flat()));
		const abort = new AbortController();
		await using trainer = new Trainer({ model: tiny, train: long, outputDir: join(folder, 'stopped') });
		const stopped = trainer.fit({ signal: abort.signal });
		const seen = new Promise<void>((resolve) => {
			const timer = setInterval(() => {
				if (filesIn(place).length === 0) return;
				clearInterval(timer);
				abort.abort();
				resolve();
			}, 1);
		});
		await expect(stopped).rejects.toThrow('stopped while its rows were read');
		await seen;
		expect(filesIn(place)).toEqual([]);
	});

	it('may be two runs of two processes at once', async () => {
		const place = freshCache();
		const started = [0, 1].map(
			(number) =>
				new Promise<number | null>((resolve) => {
					const outputDir = join(folder, `process-${number}`);
					const args = ['train', '--train', csv, '--model', tiny, '--output-dir', outputDir, '--num-train-epochs', '1', '--threads', '1', '--json'];
					spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { stdio: 'ignore' }).on('close', resolve);
				}),
		);
		expect(await Promise.all(started)).toEqual([0, 0]);
		expect(filesIn(place)).toHaveLength(1);
		const [one, two] = [0, 1].map((number) => readFileSync(join(folder, `process-${number}`, 'model.safetensors')));
		expect(one?.equals(two as Buffer)).toBe(true);
		expect((await run({})).fromCache).toBe(true);
	}, 60_000);

	it('shares its way of reading with evaluate', async () => {
		const place = freshCache();
		await using trainer = new Trainer({ model: tiny, train: csv, numTrainEpochs: 1, threads: 1, outputDir: join(folder, 'out') });
		await trainer.fit();
		const other = join(folder, 'measured.csv');
		writeFileSync(other, csvOf(rows.slice(7)));
		const memory = await trainer.evaluate(rows.slice(7));
		expect(filesIn(place)).toHaveLength(1);
		expect(await trainer.evaluate(other)).toEqual(memory);
		expect(filesIn(place)).toHaveLength(2);
		expect(await trainer.evaluate(other)).toEqual(memory);
	});
});

describe('rows of every kind', () => {
	const maxLength = 12;
	let tokenizer: Tokenizer;
	beforeAll(async () => {
		tokenizer = await Tokenizer.load(tiny);
	});
	afterAll(() => tokenizer.dispose());

	const nothing = () => {};
	const cacheIn = (place: string) =>
		new TokenCache({ folder: place, openTokenRows: loadBase().openTokenRows, stopIfAborted: nothing, onWarning: nothing });
	const options = (changes: Partial<ReadingOptions>): ReadingOptions => ({
		encode: (texts) => tokenizer.encodeBatch(texts, { maxLength }),
		tokenizer,
		problemType: 'single_label_classification',
		maxLength,
		truncation: 'silent',
		cache: undefined,
		stopIfAborted: nothing,
		...changes,
	});
	const all = ({ examples, ...rest }: ReadResult) => ({
		...rest,
		lines: examples.lines,
		batch: pack(
			examples,
			Int32Array.from({ length: rowsOf(examples) }, (_, row) => row),
		),
	});

	const studio = rows.map(({ text, label }) => ({
		data: { text },
		annotations: [{ result: [{ type: 'choices', from_name: 'label', value: { choices: [label] } }] }],
	}));
	const byLabel = join(folder, 'by-label');
	for (const [number, { text, label }] of rows.entries()) {
		mkdirSync(join(byLabel, String(label)), { recursive: true });
		writeFileSync(join(byLabel, String(label), `${number}.txt`), text);
	}
	const jsonl = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
	const parquet = parquetWriteBuffer({
		columnData: [
			{ name: 'text', data: rows.map(({ text }) => text), type: 'STRING' },
			{ name: 'label', data: rows.map(({ label }) => String(label)), type: 'STRING' },
		],
	});
	const made: Readonly<Record<string, string | Uint8Array>> = {
		'a.csv': csvOf(rows),
		'a.csv.gz': gzipSync(csvOf(rows)),
		'a.tsv': csvOf(rows).replaceAll(',', '\t'),
		'a.jsonl': jsonl,
		'a.jsonl.gz': gzipSync(jsonl),
		'a.json': JSON.stringify(rows),
		'studio.json': JSON.stringify(studio),
		'a.parquet': new Uint8Array(parquet),
	};

	it.each([...Object.keys(made), 'by-label'])('%s', async (name) => {
		const path = join(folder, name);
		const content = made[name];
		if (content !== undefined) writeFileSync(path, content);
		const memory = all(await readRows(Dataset.from(path), undefined, options({})));
		const cache = cacheIn(join(folder, `kind-${name}`));
		expect(all(await readRows(Dataset.from(path), undefined, options({ cache })))).toEqual(memory);
		const encode = () => Promise.reject(new Error('tokenized again'));
		expect(all(await readRows(Dataset.from(path), undefined, options({ cache, encode })))).toEqual({ ...memory, fromCache: true });
		expect(memory.fingerprint.rows).toBe(60);
	});

	it('the same bytes under another ending, and the same rows without repeats, are other rows', async () => {
		const cache = cacheIn(join(folder, 'kinds'));
		const twice = csvOf([...rows, ...rows]);
		const path = join(folder, 'twice.csv');
		writeFileSync(path, twice);
		const fromCsv = (data: Dataset) => readRows(data, undefined, options({ cache }));
		expect(rowsOf((await fromCsv(Dataset.from(path))).examples)).toBe(120);
		expect(rowsOf((await fromCsv(Dataset.from(path).dedupe())).examples)).toBe(60);
		const renamed = join(folder, 'twice.tsv');
		writeFileSync(renamed, twice);
		await expect(fromCsv(Dataset.from(renamed))).rejects.toMatchObject({ code: 'COLUMN_MISSING' });
	});

	it('several labels or a number a row come back as they were', async () => {
		const cases: [Row[], ReadingOptions['problemType']][] = [
			[
				rows.map(({ text }, row) => ({ text, label: row % 3 === 0 ? [] : ['x', 'y', 'z'].slice(row % 2, 1 + (row % 3)) })),
				'multi_label_classification',
			],
			[rows.map(({ text }, row) => ({ text, label: row / 7 })), 'regression'],
		];
		for (const [some, problemType] of cases) {
			const path = join(folder, `${problemType}.jsonl`);
			writeFileSync(path, some.map((row) => `${JSON.stringify(row)}\n`).join(''));
			const memory = all(await readRows(Dataset.from(path), undefined, options({ problemType })));
			const cache = cacheIn(join(folder, 'targets'));
			for (const fromCache of [false, true])
				expect(all(await readRows(Dataset.from(path), undefined, options({ problemType, cache })))).toEqual({ ...memory, fromCache });
			expect(memory.batch.labels).toBeInstanceOf(Float32Array);
		}
	});

	it('a disk that fills up on the way leaves the tokens in memory, with a warning, and no row twice', async () => {
		const warnings: string[] = [];
		const full = {
			find: async () => undefined,
			create: async () =>
				({
					add: async () => {
						throw new TokenCacheFailure('ENOSPC: no space left on device, write');
					},
					discard: async () => {},
				}) as unknown as PendingTokenFile,
			giveUp: ({ message }: Error) => void warnings.push(message),
		} as unknown as TokenCache;
		const memory = all(await readRows(Dataset.from(csv), undefined, options({})));
		expect(all(await readRows(Dataset.from(csv), undefined, options({ cache: full })))).toEqual(memory);
		expect(warnings).toEqual(['ENOSPC: no space left on device, write']);
	});

	it('rows from a program stay in memory up to a number of tokens, then go to a file', async () => {
		const place = join(folder, 'spilled');
		const portion = { ids: Int32Array.of(1, 2, 3, 4), offsets: Int32Array.of(0, 1, 4), truncated: new Uint8Array(2) };
		const filled = async (portions: number) => {
			const sink = new TokenSink({ cache: cacheIn(place), vocabulary: 100, inMemory: 8 });
			for (let count = 0; count < portions; count++) await sink.add(portion);
			const tokens = await sink.finish(
				'recipe',
				'ab'.repeat(32),
				{ targets: new Int32Array(2 * portions), lines: new Int32Array(2 * portions) },
				{ labels: [] },
			);
			await sink.discard();
			return tokens;
		};
		expect((await filled(2)).rows).toBe(4);
		expect(filesIn(place)).toEqual([]);
		const spilled = await filled(3);
		expect(filesIn(place)).toHaveLength(1);
		expect(spilled.read(Int32Array.of(5, 0)).ids).toEqual(Int32Array.of(2, 3, 4, 1));
	});
});

describe('an iterable that can be walked once', () => {
	async function* endless(count: number): AsyncGenerator<Row> {
		// One text for all rows, so that only the count of characters is large.
		const text = 'a '.repeat(2 ** 22);
		for (let row = 0; row < count; row++) yield { text, label: row % 2 };
	}
	const walk = async (data: DataInput) => {
		let count = 0;
		for await (const _ of Dataset.from(data)) count += 1;
		return count;
	};

	it('is kept where it is small', async () => {
		const small = Dataset.from(endless(3));
		expect([await walk(small), await walk(small)]).toEqual([3, 3]);
	});

	it('is streamed where it is not: a second walk is refused, and the hash of the first is remembered', async () => {
		const large = Dataset.from(endless(9));
		expect(await walk(large)).toBe(9);
		expect(await large.contentHash(() => {})).toBe(large.fingerprint?.sha256);
		await expect(walk(large)).rejects.toMatchObject({ code: 'ROWS_GONE', hint: 'pass an array, or write the rows to a file and name that' });
	});

	it('is gone where a walk ended early', async () => {
		const left = Dataset.from(endless(3));
		for await (const _ of left) break;
		await expect(walk(left)).rejects.toMatchObject({ code: 'ROWS_GONE' });
	});
});
