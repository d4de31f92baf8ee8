import {
	closeSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	utimesSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { Int32List } from '../lib/train/int32-list.js';
import type { Targets } from '../lib/train/targets.js';
import { TokenCache } from '../lib/train/token-cache.js';
import { openTokenFile, TokenFileDamaged, TokenFileWriter } from '../lib/train/token-file.js';
import { type Ragged, selectedTokens, type Tokens, tokensInMemory } from '../lib/train/tokens.js';
import { randomNumbers } from './random.js';

const folder = mkdtempSync(join(tmpdir(), 'distiltune-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { openTokenRows } = loadBase();
const quietly = { openTokenRows, verify: true, stopIfAborted: () => {} };
let files = 0;
const fresh = () => join(folder, String(files++));

/** Portions of rows of 0 to 30 ids, from a seed. */
function portionsOf(seed: number, portions: number, rows: number, vocabulary: number): Ragged[] {
	const draw = randomNumbers(seed);
	return Array.from({ length: portions }, () => {
		const lengths = Array.from({ length: rows }, () => Math.floor(draw() * 31));
		const offsets = Int32Array.from([0, ...lengths]);
		for (let row = 0; row < rows; row++) offsets[row + 1] = (offsets[row] as number) + (lengths[row] as number);
		return { ids: Int32Array.from({ length: offsets[rows] as number }, () => Math.floor(draw() * vocabulary)), offsets };
	});
}

/** Every third line has a row. */
const linesOf = (portions: readonly Ragged[]) => Int32Array.from({ length: tokensInMemory(portions).rows }, (_, row) => 3 * row + 1);

async function written(path: string, portions: readonly Ragged[], targets: Targets, vocabulary: number): Promise<string> {
	const writer = await TokenFileWriter.create(path, vocabulary);
	for (const portion of portions) await writer.add(portion);
	await writer.finish({ targets, lines: linesOf(portions) }, { labels: ['a', 'b'] });
	return path;
}

const everyRow = (tokens: Tokens) => tokens.read(Int32Array.from({ length: tokens.rows }, (_, row) => row));

describe('tokens in memory and in a file', () => {
	it.each([
		['2 bytes an id', 65_536, 2],
		['4 bytes an id', 65_537, 4],
	])('are the same, row by row and in any order: %s', async (_, vocabulary, idBytes) => {
		const portions = portionsOf(1, 7, 300, vocabulary);
		const memory = tokensInMemory(portions);
		const targets = Int32Array.from({ length: 2100 }, (__, row) => row % 3);
		const path = await written(fresh(), portions, targets, vocabulary);
		const file = await openTokenFile(path, quietly);
		expect(file.tokens.rows).toBe(2100);
		expect(file.tokens.largestId).toBe(memory.largestId);
		expect(file.tokens.lengths()).toEqual(memory.lengths());
		expect(everyRow(file.tokens)).toEqual(everyRow(memory));
		expect(file.targets).toEqual(targets);
		expect(file.lines).toEqual(linesOf(portions));
		expect(file.notes).toMatchObject({ labels: ['a', 'b'] });
		const tokens = portions.reduce((sum, { ids }) => sum + ids.length, 0);
		expect(readFileSync(path).readUInt32LE(12)).toBe(idBytes);
		expect(statSync(path).size).toBeLessThan(96 + idBytes * tokens + 16 * 2100 + 200);

		const draw = randomNumbers(2);
		const order = Int32Array.from({ length: 500 }, () => Math.floor(draw() * 2100));
		expect(file.tokens.read(order)).toEqual(memory.read(order));
		const [some, same] = [selectedTokens(file.tokens, order), selectedTokens(memory, order)];
		expect(some.lengths()).toEqual(same.lengths());
		expect(some.read(Int32Array.of(499, 0, 7))).toEqual(memory.read(Int32Array.of(order[499] as number, order[0] as number, order[7] as number)));
	});

	it('carry targets of any width, as numbers or as classes', async () => {
		const portions = portionsOf(3, 1, 4, 100);
		const marks = Float32Array.of(1, 0, 0.5, 0, 1, 0, 1, 1, -3.25, 0, 0, 0);
		const { targets } = await openTokenFile(await written(fresh(), portions, marks, 100), quietly);
		expect(targets).toEqual(marks);
	});

	it('may be none but the offsets of one empty row', async () => {
		const { tokens } = await openTokenFile(
			await written(fresh(), [{ ids: new Int32Array(), offsets: Int32Array.of(0, 0) }], Int32Array.of(0), 100),
			quietly,
		);
		expect(tokens.read(Int32Array.of(0, 0))).toEqual({ ids: new Int32Array(), offsets: Int32Array.of(0, 0, 0) });
	});

	it('are kept in lists that grow', () => {
		const list = new Int32List();
		for (let value = 0; value < 150_000; value++) list.push(value);
		expect([list.length, list.at(70_000)]).toEqual([150_000, 70_000]);
		expect(list.values()).toEqual(Int32Array.from({ length: 150_000 }, (_, value) => value));
	});
});

describe('a token file', () => {
	const damaged = (path: string) =>
		openTokenFile(path, quietly).then(
			() => 'opened',
			(error: unknown) => (error instanceof TokenFileDamaged ? 'damaged' : error),
		);

	it('that is cut anywhere is refused', async () => {
		const path = await written(fresh(), portionsOf(4, 1, 50, 1000), new Int32Array(50), 1000);
		const { size } = statSync(path);
		const draw = randomNumbers(5);
		for (const length of [0, 1, 95, 96, size - 1, ...Array.from({ length: 60 }, () => Math.floor(draw() * size))].sort((a, b) => b - a)) {
			truncateSync(path, length);
			expect(await damaged(path), `${length} of ${size} bytes`).toBe('damaged');
		}
	});

	it('with any one bit flipped is refused, and with a byte more', async () => {
		const path = await written(fresh(), portionsOf(6, 1, 50, 1000), new Int32Array(50), 1000);
		const whole = readFileSync(path);
		const draw = randomNumbers(7);
		const places = [...Array(96).keys(), ...Array.from({ length: 200 }, () => Math.floor(draw() * whole.length))];
		for (const place of places) {
			const bytes = Buffer.from(whole);
			bytes[place] = (bytes[place] as number) ^ (1 << Math.floor(draw() * 8));
			writeFileSync(path, bytes);
			expect(await damaged(path), `byte ${place}`).toBe('damaged');
		}
		writeFileSync(path, Buffer.concat([whole, Buffer.of(0)]));
		expect(await damaged(path)).toBe('damaged');
	});

	it('of hostile counts is refused before memory is asked for', async () => {
		const path = await written(fresh(), portionsOf(8, 1, 50, 1000), new Int32Array(50), 1000);
		for (const at of [16, 24, 32, 48]) {
			for (const count of [2n ** 64n - 1n, 2n ** 53n, 2n ** 31n, 10n ** 9n]) {
				const bytes = readFileSync(path);
				bytes.writeBigUInt64LE(count, at);
				const hostile = fresh();
				writeFileSync(hostile, bytes);
				const before = process.memoryUsage.rss();
				expect(await damaged(hostile)).toBe('damaged');
				// The bar of reliability.md, H1.
				expect(process.memoryUsage.rss() - before).toBeLessThan(64e6);
			}
		}
	});

	it('whose checksum fits but whose offsets do not never gives a byte from beyond', async () => {
		const path = await written(fresh(), portionsOf(9, 1, 50, 1000), new Int32Array(50), 1000);
		const bytes = readFileSync(path);
		const tokens = Number(bytes.readBigUInt64LE(24));
		const offsetsAt = Math.ceil((96 + 2 * tokens) / 8) * 8;
		bytes.writeBigUInt64LE(2n ** 40n, offsetsAt + 8);
		writeFileSync(path, bytes);
		const { tokens: rows } = await openTokenFile(path, { ...quietly, verify: false });
		expect(() => rows.read(Int32Array.of(0))).toThrow('do not lie in it');
		expect(() => rows.lengths()).toThrow('do not lie in it');
		expect(() => rows.read(Int32Array.of(50))).toThrow('Expected the number of a row from 0 to 50');
		expect(() => rows.read(Int32Array.of(-1))).toThrow('Expected the number of a row from 0 to 50');
	});

	it('is read by its owner alone', async () => {
		const path = await written(fresh(), portionsOf(10, 1, 5, 100), new Int32Array(5), 100);
		if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
	});
});

describe('the folder of token files', () => {
	const portions = portionsOf(11, 2, 20, 500);
	const notes = { labels: ['a', 'b'] };
	const hash = 'ab'.repeat(32);
	const cacheAt = (place: string) => {
		const warnings: string[] = [];
		const cache = new TokenCache({ folder: place, openTokenRows, stopIfAborted: () => {}, onWarning: ({ code }) => warnings.push(code) });
		return { cache, warnings };
	};
	async function kept(cache: TokenCache, recipe: string): Promise<void> {
		const file = await cache.create(500);
		for (const portion of portions) await file?.add(portion);
		await file?.keep(recipe, hash, { targets: new Int32Array(40), lines: new Int32Array(40) }, notes);
		await file?.discard();
	}

	it('finds by recipe and content, and asks for the content only where there may be something', async () => {
		const { cache, warnings } = cacheAt(fresh());
		const never = () => Promise.reject(new Error('not to be asked'));
		expect(await cache.find('recipe', never)).toBeUndefined();
		await kept(cache, 'recipe');
		expect(await cache.find('other recipe', never)).toBeUndefined();
		expect(await cache.find('recipe', async () => 'cd'.repeat(32))).toBeUndefined();
		const found = await cache.find('recipe', async () => hash);
		expect(found && everyRow(found.tokens)).toEqual(everyRow(tokensInMemory(portions)));
		expect(found).toMatchObject({ contentHash: hash, notes });
		expect(warnings).toEqual([]);
	});

	it('passes over a damaged file with a warning, and the next one takes its place', async () => {
		const place = fresh();
		const { cache, warnings } = cacheAt(place);
		await kept(cache, 'recipe');
		const [name = ''] = readdirSync(place);
		const file = openSync(join(place, name), 'r+');
		writeSync(file, 'X', 200);
		closeSync(file);
		expect(await cache.find('recipe', async () => hash)).toBeUndefined();
		expect(warnings).toEqual(['TOKEN_CACHE_DAMAGED']);
		await kept(cache, 'recipe');
		expect(await cache.find('recipe', async () => hash)).toBeDefined();
		expect(readdirSync(place)).toEqual([name]);
	});

	it('goes on from a file that was deleted, or replaced by another process, under its reader', async () => {
		const place = fresh();
		const { cache } = cacheAt(place);
		await kept(cache, 'recipe');
		const found = await cache.find('recipe', async () => hash);
		await kept(cacheAt(place).cache, 'recipe');
		rmSync(place, { recursive: true });
		expect(found && everyRow(found.tokens)).toEqual(everyRow(tokensInMemory(portions)));
	});

	it('is right where two write the same file at once', async () => {
		const place = fresh();
		await Promise.all(Array.from({ length: 8 }, () => kept(cacheAt(place).cache, 'recipe')));
		expect(readdirSync(place)).toHaveLength(1);
		const found = await cacheAt(place).cache.find('recipe', async () => hash);
		expect(found && everyRow(found.tokens)).toEqual(everyRow(tokensInMemory(portions)));
	});

	it('leaves nothing of a file that was not kept', async () => {
		const place = fresh();
		const file = await cacheAt(place).cache.create(500);
		await file?.add(portions[0] as Ragged);
		expect(readdirSync(place)).toHaveLength(1);
		await file?.discard();
		expect(readdirSync(place)).toEqual([]);
	});

	it('is tidied before a file is written: what the dead left, what was not used for 30 days, never a stranger', async () => {
		const place = fresh();
		mkdirSync(place);
		const day = 86_400_000;
		const put = (name: string, ageMs: number) => {
			writeFileSync(join(place, name), '');
			const then = new Date(Date.now() - ageMs);
			utimesSync(join(place, name), then, then);
			return name;
		};
		// Process numbers end below 2^22 (Linux) or 99,999 (macOS).
		const gone = 4_194_305;
		const tokenFile = (digit: string) => `${digit.repeat(32)}-${digit.repeat(64)}`;
		put(`.writing-${gone}-0123456789ab`, 2 * 3_600_000);
		put(tokenFile('1'), 31 * day);
		const staying = [
			put(`.writing-${gone}-ba9876543210`, 60_000),
			put(`.writing-${process.pid}-0123456789ab`, 2 * day),
			put(tokenFile('2'), 29 * day),
			put('notes.txt', 400 * day),
		];
		await (await cacheAt(place).cache.create(500))?.discard();
		expect(readdirSync(place).sort()).toEqual(staying.sort());
	});

	it('gives up with one warning where it cannot be written', async () => {
		const place = fresh();
		writeFileSync(place, 'a file stands here');
		const { cache, warnings } = cacheAt(place);
		expect(await cache.create(500)).toBeUndefined();
		expect(await cache.create(500)).toBeUndefined();
		expect(await cache.find('recipe', async () => hash)).toBeUndefined();
		expect(warnings).toEqual(['TOKEN_CACHE_UNUSABLE']);
	});
});
