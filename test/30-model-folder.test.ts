import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DistiltuneError } from '../lib/errors.js';
import { openModelFolder, resolveModel } from '../lib/model/folder.js';

const tiny = fileURLToPath(new URL('fixtures/tiny-model', import.meta.url));
let folder: string;
beforeEach(async () => {
	folder = await realpath(await mkdtemp(join(tmpdir(), 'distiltune-')));
});
afterEach(async () => {
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	await rm(folder, { recursive: true });
});

/** A folder that can be found as a model. */
async function place(...path: string[]): Promise<string> {
	const made = join(folder, ...path);
	await mkdir(made, { recursive: true });
	await writeFile(join(made, 'config.json'), '{}');
	return made;
}

test('a folder is opened with its config and its weights', async () => {
	const model = await openModelFolder(tiny);
	expect(model.folder).toBe(tiny);
	expect(model.config.labels).toEqual(['calm', 'worried', 'alarmed']);
	expect(model.weights).toBe(join(tiny, 'model.safetensors'));
});

test('weights are looked for in this order, and a folder of that name is passed over', async () => {
	await writeFile(join(folder, 'config.json'), await readFile(join(tiny, 'config.json')));
	for (const name of ['pytorch_model.bin.index.json', 'pytorch_model.bin', 'model.safetensors.index.json', 'model.safetensors']) {
		await writeFile(join(folder, name), '');
		expect((await openModelFolder(folder)).weights).toBe(join(folder, name));
	}
	await rm(join(folder, 'model.safetensors'));
	await mkdir(join(folder, 'model.safetensors'));
	expect((await openModelFolder(folder)).weights).toBe(join(folder, 'model.safetensors.index.json'));
});

test('a folder without weights says what is there instead, and takes no training state for weights', async () => {
	await writeFile(join(folder, 'config.json'), await readFile(join(tiny, 'config.json')));
	for (const name of ['training_args.bin', 'optimizer.pt', 'scheduler.pt', 'rng_state.pth']) await writeFile(join(folder, name), '');
	await expect(openModelFolder(folder)).rejects.toMatchObject({
		code: 'WEIGHTS_MISSING',
		message: expect.stringMatching(/int8\.safetensors$/),
		hint: undefined,
	});
	await writeFile(join(folder, 'tf_model.h5'), '');
	await expect(openModelFolder(folder)).rejects.toMatchObject({
		code: 'WEIGHTS_MISSING',
		message: expect.stringContaining('(there is tf_model.h5)'),
		hint: expect.stringContaining('save_pretrained'),
	});
	await expect(openModelFolder(join(folder, 'none'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});

test('a name is looked for as a folder, in the repository, as a package, in the cache, in the Hugging Face cache', async () => {
	const cache = join(folder, 'cache');
	vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
	vi.spyOn(process, 'cwd').mockReturnValue(folder);
	expect(await resolveModel(tiny, cache)).toBe(tiny);
	expect(await resolveModel('minilm-l6', cache)).toBe(fileURLToPath(new URL('../models/minilm-l6', import.meta.url)));

	const commit = '0123456789abcdef0123456789abcdef01234567';
	const snapshot = await place('hub', 'models--someone--some-model', 'snapshots', commit);
	await mkdir(join(folder, 'hub', 'models--someone--some-model', 'refs'));
	await writeFile(join(folder, 'hub', 'models--someone--some-model', 'refs', 'main'), commit);
	expect(await resolveModel('someone/some-model', cache)).toBe(snapshot);

	const cached = await place('cache', 'models', 'mine');
	expect(await resolveModel('mine', cache)).toBe(cached);
	const installed = await place('node_modules', 'distiltune-mine');
	expect(await resolveModel('mine', cache)).toBe(installed);
});

test('a model that is nowhere is refused with every place that was looked at and the name of one that is here', async () => {
	vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
	const refusal = await resolveModel('distilbert-base-uncased', folder).catch((error: unknown) => error);
	expect(refusal).toMatchObject({
		code: 'MODEL_NOT_FOUND',
		hint: '--model minilm-l6',
		message: expect.stringContaining(join(folder, 'models', 'distilbert-base-uncased')),
	});
	expect((refusal as DistiltuneError).details?.tried).toHaveLength(4);
});

test.each(['../x', 'a/../../b', '..', '/etc', 'C:\\x', '..\\x', 'a/b/c', '.git', '%2e%2e%2f', 'x\0y', 'a'.repeat(5000), ''])(
	'%j is no name that leaves its place',
	async (name) => {
		vi.stubEnv('HF_HUB_CACHE', folder);
		await place('x');
		await expect(resolveModel(name, join(folder, 'cache')).then((found) => openModelFolder(found))).rejects.toBeInstanceOf(DistiltuneError);
	},
);

test('a hub reference that is no commit is not followed', async () => {
	vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
	await place('evil');
	await mkdir(join(folder, 'hub', 'models--m', 'refs'), { recursive: true });
	await writeFile(join(folder, 'hub', 'models--m', 'refs', 'main'), '../../../evil');
	await expect(resolveModel('m', folder)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});
