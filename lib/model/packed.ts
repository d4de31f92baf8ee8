/** Where packed weights are kept between loads: `<cache>/packed/<key>-<instruction set>-<dtype>`. */
import { createHash } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { cacheFolder, removeLeastUsed } from '../runtime/cache.js';
import { makeFolder } from '../runtime/make-folder.js';
import type { BaseAddon, Dtype, NativePredictor, PredictorOptions } from '../runtime/native.js';
import type { WeightFiles } from './copy.js';

/** Smaller weights are packed in milliseconds. */
const worthKeeping = 16e6;
/** All files together; those used least lately go first. */
const mostBytes = 4e9;

/** Opens the predictor of a model as openPacked does, without a dtype in what its weights are `stored` in. */
export async function openStored(
	base: Pick<BaseAddon, 'openPredictor' | 'cpu' | 'weightsDtype'>,
	files: WeightFiles,
	options: PredictorOptions,
): Promise<{ readonly predictor: NativePredictor; readonly stored: Dtype }> {
	const stored = await base.weightsDtype(options.weights, options.shape);
	const { dtype = stored } = options;
	return { predictor: await openPacked(base, files, { ...options, dtype }), stored };
}

/**
 * Opens the predictor of a model over packed weights of the cache, which the first load writes. Whatever goes wrong with the cache, the
 * weights are then packed into memory; rejects as BaseAddon.openPredictor does.
 */
export async function openPacked(
	base: Pick<BaseAddon, 'openPredictor' | 'cpu'>,
	files: WeightFiles,
	options: PredictorOptions & { readonly dtype: Dtype },
): Promise<NativePredictor> {
	const identity = await identify(files);
	if (identity === undefined) return base.openPredictor(options);
	const { isa, bf16Isa, int8 } = base.cpu();
	const set = { fp32: isa, bf16: bf16Isa, int8 }[options.dtype];
	const cache = join(cacheFolder(), 'packed', `${identity}-${set}-${options.dtype}`);
	const there = await touch(cache);
	if (!there && !makeRoom(dirname(cache))) return base.openPredictor(options);
	const predictor = await base.openPredictor({ ...options, cache });
	if (there) return predictor;
	// Files that changed under the packing may have given it anything.
	if ((await identify(files)) !== identity) await rm(cache, { force: true }).catch(() => undefined);
	const folder = dirname(cache);
	const names = await readdir(folder).catch((): string[] => []);
	await removeLeastUsed(
		names.map((name) => join(folder, name)),
		{ bytes: mostBytes },
	);
	return predictor;
}

/**
 * SHA-256 of what tells these files from any others without reading them: path, size, the file system's numbers and times. A hash of their
 * bytes would let copies share, but reading a quarter of a gigabyte is what the cache is there to save. Nobody sets the time of a change of
 * the inode by hand, so bytes replaced under an old date are seen. Undefined where the weights are small.
 */
async function identify(files: WeightFiles): Promise<string | undefined> {
	const hash = createHash('sha256');
	let bytes = 0;
	for (const path of files.keys()) {
		const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
		hash.update(`${path}\0${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}\n`);
		bytes += Number(size);
	}
	return bytes < worthKeeping ? undefined : hash.digest('hex');
}

/** Marks a file as used; false where it is not there. */
async function touch(path: string): Promise<boolean> {
	const now = new Date();
	return utimes(path, now, now).then(
		() => true,
		() => false,
	);
}

function makeRoom(folder: string): boolean {
	try {
		makeFolder(folder);
		return true;
	} catch {
		return false;
	}
}
