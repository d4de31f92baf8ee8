import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Attempt, DistiltuneError, ModelError } from '../errors.js';
import { cacheFolder } from '../runtime/cache.js';
import { makeFolder } from '../runtime/make-folder.js';
import { type ModelConfig, readConfig } from './config.js';

/** A folder that holds a model: config.json, weights and a vocabulary (lib/model/vocabulary.ts reads that). docs/model-folder.md has the details. */
export interface ModelFolder {
	/** Absolute. */
	readonly folder: string;
	readonly config: ModelConfig;
	/** Absolute path of the weights, or of the index of their shards. */
	readonly weights: string;
}

/** Where weights are looked for, the first that is there counts. A training state (optimizer.pt, training_args.bin, ...) is never opened. */
const weightFiles = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json'];

/** Opens `folder`. Throws ModelError MODEL_NOT_FOUND, CONFIG_MISSING, CONFIG_INVALID or WEIGHTS_MISSING. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
	const absolute = resolve(folder);
	if (!(await isFolder(absolute))) throw notFound(folder, [{ place: absolute, found: false, reason: 'no such folder' }]);
	const config = await readConfig(absolute);
	for (const name of weightFiles) {
		const weights = join(absolute, name);
		if (await isFile(weights)) return { folder: absolute, config, weights };
	}
	const others = (await readdir(absolute)).filter(
		(name) => /\.(safetensors|bin|h5|msgpack|onnx|ot|gguf)$/.test(name) && name !== 'training_args.bin',
	);
	const instead = others.length > 0 ? ` (there is ${others.join(', ')})` : '';
	throw new ModelError('WEIGHTS_MISSING', `Expected weights in ${absolute}, but it has none of ${weightFiles.join(', ')}${instead}`, {
		hint: others.length > 0 ? 'save the model again with Transformers: model.save_pretrained(folder)' : undefined,
	});
}

/**
 * The folder that a name or a path means: a folder; the repository's models/NAME; the npm package distiltune-NAME; `cache`/models/NAME;
 * the Hugging Face cache. Reads names of files only. Throws ModelError MODEL_NOT_FOUND with every place that was looked at.
 */
export async function resolveModel(nameOrFolder: string, cache = cacheFolder()): Promise<string> {
	if (await isFolder(nameOrFolder)) return resolve(nameOrFolder);
	const tried: Attempt[] = [{ place: resolve(nameOrFolder), found: false, reason: 'no such folder' }];
	if (!isName(nameOrFolder)) throw notFound(nameOrFolder, tried);
	for (const place of await candidates(nameOrFolder, cache)) {
		if (await isFile(join(place, 'config.json'))) return place;
		tried.push({ place, found: false, reason: 'no config.json there' });
	}
	throw notFound(nameOrFolder, tried, join(cache, 'models', nameOrFolder));
}

/**
 * Makes `folder` whole or leaves it as it was. `write` puts files into an empty folder beside it; they are flushed to the disk, then the
 * folder is renamed. Where `folder` is there already, the new files replace theirs one by one, by rename, and others stay; config.json
 * comes last. Throws DistiltuneError OUTPUT_NOT_WRITABLE or DISK_FULL, or what `write` throws; the folder beside it is then removed.
 */
export async function writeFolderAtomically(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
	const target = resolve(folder);
	const temporary = temporaryFor(target);
	try {
		makeFolder(temporary);
		await write(temporary);
		const names = await readdir(temporary);
		for (const name of names) await flush(join(temporary, name));
		await flushFolder(temporary);
		if (!(await isFolder(target))) {
			await rename(temporary, target);
		} else {
			for (const name of names.sort((a, b) => Number(a === 'config.json') - Number(b === 'config.json')))
				await rename(join(temporary, name), join(target, name));
			await flushFolder(target);
			await rm(temporary, { recursive: true });
		}
		await flushFolder(dirname(target));
	} catch (cause) {
		await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
		throw outputError(target, cause);
	}
}

/** Throws OUTPUT_NOT_WRITABLE or DISK_FULL where writeFolderAtomically could not even begin; leaves nothing behind but the folders above. */
export async function requireWritable(folder: string): Promise<void> {
	const target = resolve(folder);
	const there = await stat(target).catch(() => undefined);
	if (there !== undefined && !there.isDirectory())
		throw new DistiltuneError('OUTPUT_NOT_WRITABLE', `Expected ${target} to be a folder, but a file has that name`, {
			hint: 'name another folder with --output-dir',
		});
	const trials = there === undefined ? [temporaryFor(target)] : [temporaryFor(target), temporaryFor(join(target, 'model'))];
	try {
		for (const trial of trials) {
			makeFolder(trial);
			await rmdir(trial);
		}
	} catch (cause) {
		throw outputError(target, cause);
	}
}

/** A name of this process's own beside `target`. */
function temporaryFor(target: string): string {
	return join(dirname(target), `${basename(target)}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`);
}

/** What an error of the system while writing under `folder` is called; other errors stay as they are. */
function outputError(folder: string, cause: unknown): unknown {
	if (cause instanceof DistiltuneError) return cause;
	const code = (cause as NodeJS.ErrnoException).code ?? '';
	if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'DISK_FULL')
		return new DistiltuneError('DISK_FULL', `No space left to write the model to ${folder}`, { cause, hint: 'free some disk space' });
	if (/^E[A-Z]+$/.test(code) || code === 'NOT_WRITABLE' || code === 'WRITE_FAILED')
		return new DistiltuneError('OUTPUT_NOT_WRITABLE', `Could not write the model to ${folder}: ${(cause as Error).message}`, {
			cause,
			hint: 'name another folder with --output-dir',
		});
	return cause;
}

async function candidates(name: string, cache: string): Promise<string[]> {
	const places = [fileURLToPath(new URL(`../../models/${name}`, import.meta.url))];
	if (!name.includes('/')) places.push(installedPackage(name));
	places.push(join(cache, 'models', name));
	places.push(...(await hubSnapshot(name)));
	return places;
}

/** Folder of the package distiltune-NAME as the working folder sees it, or where it would be. */
function installedPackage(name: string): string {
	try {
		return dirname(createRequire(join(process.cwd(), 'index.js')).resolve(`distiltune-${name}/config.json`));
	} catch {
		return join(process.cwd(), 'node_modules', `distiltune-${name}`);
	}
}

/** The snapshot that refs/main of the Hugging Face cache names (huggingface_hub, file_download.py); only ever read. */
async function hubSnapshot(name: string): Promise<string[]> {
	const { HF_HOME, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, XDG_CACHE_HOME } = process.env;
	const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
	const repository = join(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub'), `models--${name.replace('/', '--')}`);
	const commit = await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => '');
	return /^[0-9a-f]{40}$/.test(commit) ? [join(repository, 'snapshots', commit)] : [];
}

/** NAME or OWNER/NAME as the hub spells them; nothing that could leave the folder it is looked for in. */
function isName(text: string): boolean {
	return !isAbsolute(text) && /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(text) && !text.includes('..');
}

function notFound(name: string, tried: readonly Attempt[], wanted?: string): ModelError {
	const place = wanted === undefined ? '' : `; to use it, put its folder (config.json, model.safetensors, vocab.txt) at ${wanted}`;
	return new ModelError('MODEL_NOT_FOUND', `Expected \`${name}\` to be a model folder or the name of one, but none was found${place}`, {
		hint: '--model minilm-l6',
		details: { tried },
	});
}

const isFolder = (path: string) =>
	stat(path).then(
		(info) => info.isDirectory(),
		() => false,
	);
const isFile = (path: string) =>
	stat(path).then(
		(info) => info.isFile(),
		() => false,
	);

async function flush(file: string): Promise<void> {
	const handle = await open(file, 'r+');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** So that names survive a crash. Windows cannot open folders and needs no such call. */
async function flushFolder(folder: string): Promise<void> {
	if (process.platform === 'win32') return;
	const handle = await open(folder, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
