import { mkdir, mkdtemp, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WeightFiles } from '../lib/model/copy.js';
import { openPacked } from '../lib/model/packed.js';
import type { Dtype, NativePredictor, PredictorOptions } from '../lib/runtime/native.js';
import { tinyShape } from './models.js';

// Which file of the cache a model gets; what native code makes of it is in native/model/test/packed_test.cpp.

let folder: string;
let weights: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
	vi.stubEnv('DISTILTUNE_CACHE_DIR', join(folder, 'cache'));
	weights = join(folder, 'model.safetensors');
	await sized(weights, 20e6);
});
afterEach(async () => {
	vi.unstubAllEnvs();
	await rm(folder, { recursive: true });
});

async function sized(path: string, bytes: number): Promise<void> {
	await writeFile(path, '');
	await truncate(path, bytes);
}

/** The cache that native code is told of; it writes a file there, as long as `during` does not fail. */
async function cacheFor(path = weights, dtype: Dtype = 'fp32', during = async () => {}): Promise<string | undefined> {
	let told: PredictorOptions | undefined;
	const base = {
		cpu: () => ({ isa: 'avx2' as const, int8: 'avxvnni', bf16Isa: 'avx512bf16', cores: 1, bf16: false }),
		openPredictor: async (options: PredictorOptions) => {
			told = options;
			await during();
			if (options.cache) await writeFile(options.cache, 'packed');
			return {} as NativePredictor;
		},
	};
	const files: WeightFiles = new Map([[path, 0]]);
	await openPacked(base, files, { weights: path, shape: tinyShape, threads: 1, dtype });
	return told?.cache;
}

test('the same file has the same cache, one for each dtype, named after the instruction set', async () => {
	const cache = await cacheFor();
	expect(cache).toMatch(/cache.packed.[0-9a-f]{64}-avx2-fp32$/);
	expect(await cacheFor()).toBe(cache);
	expect(await cacheFor(weights, 'int8')).toBe(cache?.replace(/avx2-fp32$/, 'avxvnni-int8'));
	expect(await cacheFor(weights, 'bf16')).toBe(cache?.replace(/avx2-fp32$/, 'avx512bf16-bf16'));
});

test('a file that was written again has another, even under its old date', async () => {
	const cache = await cacheFor();
	const old = new Date(1e12);
	await utimes(weights, old, old);
	const dated = await cacheFor();
	expect(dated).not.toBe(cache);
	await sized(join(folder, 'new'), 20e6);
	await utimes(join(folder, 'new'), old, old);
	await rename(join(folder, 'new'), weights);
	expect(await cacheFor()).not.toBe(dated);
});

test('weights that change while they are packed leave nothing in the cache', async () => {
	const cache = await cacheFor(weights, 'fp32', () => sized(weights, 30e6));
	expect(cache).toBeDefined();
	expect(await readdir(join(folder, 'cache', 'packed'))).toEqual([]);
});

test('small weights, and a cache that cannot be made, do without', async () => {
	await sized(join(folder, 'small'), 1e6);
	expect(await cacheFor(join(folder, 'small'))).toBeUndefined();
	await writeFile(join(folder, 'cache'), '');
	expect(await cacheFor()).toBeUndefined();
});

test('of more than four gigabytes the files used least lately go', async () => {
	const packed = join(folder, 'cache', 'packed');
	await mkdir(packed, { recursive: true });
	for (const [name, day] of [
		['oldest', 1],
		['older', 2],
		['newer', 3],
	] as const) {
		await sized(join(packed, name), 1.5e9);
		await utimes(join(packed, name), day * 86400, day * 86400);
	}
	const cache = (await cacheFor()) as string;
	expect((await readdir(packed)).sort()).toEqual([cache.slice(packed.length + 1), 'newer', 'older'].sort());
});
