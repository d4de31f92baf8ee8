import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeLeftovers } from '../lib/model/leftovers.js';
import { rotateCheckpoints, saveCheckpoint } from '../lib/train/checkpoint.js';
import { findCheckpoint, openCheckpoint } from '../lib/train/find-checkpoint.js';

let out: string;
beforeEach(() => {
	out = realpathSync(mkdtempSync(join(tmpdir(), 'distiltune-checkpoint-')));
});
afterEach(() => rmSync(out, { recursive: true }));

const folderOf = (step: number) => join(out, `checkpoint-${step}`);
const save = (step: number, content = `weights of ${step}`) =>
	saveCheckpoint(out, { step, epoch: step / 3, globalSamples: step * 8, world: 1 }, 1000, async (folder) => {
		await writeFile(join(folder, 'model.safetensors'), content);
		await writeFile(join(folder, 'config.json'), '{}');
	});
const stepFound = async () => (await findCheckpoint(out)).checkpoint?.manifest.step;
const damage = (step: number, file = 'model.safetensors') => writeFileSync(join(folderOf(step), file), 'weights of x');

describe('saving', () => {
	it('leaves a folder with a manifest of every file, and nothing beside it', async () => {
		const { folder, manifest } = await save(3);
		expect(readdirSync(out)).toEqual(['checkpoint-3']);
		expect(readdirSync(folder).sort()).toEqual(['config.json', 'manifest.json', 'model.safetensors']);
		const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
		expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))).toEqual({
			...{ format: 1, step: 3, epoch: 1, globalSamples: 24, world: 1, sequence: 1 },
			files: [
				{ name: 'config.json', bytes: 2, sha256: sha256('{}') },
				{ name: 'model.safetensors', bytes: 12, sha256: sha256('weights of 3') },
			],
			sha256: manifest.sha256,
		});
	});

	it('makes the folders above', async () => {
		out = join(out, 'a', 'b');
		await save(1);
		expect(await stepFound()).toBe(1);
		out = join(out, '..', '..');
	});

	it('leaves all as it was where writing fails, and says for what there was no room', async () => {
		await save(1);
		const full = saveCheckpoint(out, { step: 2, epoch: 1, globalSamples: 16, world: 1 }, 803_000_000, async (folder) => {
			await writeFile(join(folder, 'model.safetensors'), 'half');
			throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
		});
		await expect(full).rejects.toMatchObject({
			code: 'DISK_FULL',
			message: expect.stringMatching(/^No space left to write checkpoint-2 to \S+: expected about 803 MB, found \d+ MB$/),
			details: { path: folderOf(2), bytesNeeded: 803_000_000, bytesFree: expect.any(Number) },
		});
		expect(readdirSync(out)).toEqual(['checkpoint-1']);
	});

	it('replaces a checkpoint of the same step, damaged or not', async () => {
		await save(1);
		await save(2, 'of an earlier run');
		damage(2);
		await save(2);
		expect(readdirSync(out).sort()).toEqual(['checkpoint-1', 'checkpoint-2']);
		expect(readFileSync(join(folderOf(2), 'model.safetensors'), 'utf8')).toBe('weights of 2');
		expect(await stepFound()).toBe(2);
	});
});

describe('finding', () => {
	it('gives nothing where there is nothing', async () => {
		expect(await findCheckpoint(out)).toEqual({ checkpoint: undefined, passedOver: [] });
		expect(await findCheckpoint(join(out, 'none'))).toEqual({ checkpoint: undefined, passedOver: [] });
	});

	it('takes the one written last, whatever an earlier run has left', async () => {
		await save(9);
		await save(10);
		expect(await stepFound()).toBe(10);
		await save(3);
		expect(await stepFound()).toBe(3);
	});

	it('steps back and says why', async () => {
		for (const step of [1, 2, 3, 4]) await save(step);
		damage(4);
		rmSync(join(folderOf(3), 'config.json'));
		mkdirSync(folderOf(5));
		const { checkpoint, passedOver } = await findCheckpoint(out);
		expect(checkpoint?.folder).toBe(folderOf(2));
		expect(passedOver).toEqual([
			{ folder: folderOf(5), reason: 'it has no manifest.json' },
			{ folder: folderOf(4), reason: 'model.safetensors is not as it was written' },
			{ folder: folderOf(3), reason: 'config.json is missing' },
		]);
		await expect(findCheckpoint(out, { strict: true })).rejects.toMatchObject({ name: 'TrainingError', code: 'CHECKPOINT_DAMAGED' });
		expect((await findCheckpoint(out, { hashes: false })).checkpoint?.folder).toBe(folderOf(4));
	});

	it('refuses where none is whole', async () => {
		for (const step of [1, 2]) await save(step);
		damage(1);
		damage(2, 'manifest.json');
		await expect(findCheckpoint(out)).rejects.toMatchObject({
			code: 'CHECKPOINT_DAMAGED',
			message: `${folderOf(2)} is not a whole checkpoint: its manifest.json is not JSON; nor are checkpoint-1`,
		});
	});

	it('checks one that is named just as well', async () => {
		await save(1);
		expect((await openCheckpoint(folderOf(1))).manifest.step).toBe(1);
		await expect(openCheckpoint(folderOf(2))).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
		await expect(openCheckpoint(out)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED', hint: 'name one of those in it: checkpoint-1' });
		damage(1);
		await expect(openCheckpoint(folderOf(1))).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' });
		expect((await openCheckpoint(folderOf(1), { hashes: false })).manifest.step).toBe(1);
	});

	it('does not take a folder for one of another step', async () => {
		await save(1);
		cpSync(folderOf(1), folderOf(7), { recursive: true });
		const { checkpoint, passedOver } = await findCheckpoint(out);
		expect(checkpoint?.folder).toBe(folderOf(1));
		expect(passedOver).toEqual([{ folder: folderOf(7), reason: 'its manifest is that of checkpoint-1' }]);
	});

	it.each([
		[
			'a name that leaves the folder',
			{ files: [{ name: '../x', bytes: 1, sha256: '0'.repeat(64) }] },
			'manifest.json.files[0].name is "../x", expected a plain name',
		],
		['a negative size', { files: [{ name: 'x', bytes: -1, sha256: '0'.repeat(64) }] }, 'manifest.json.files[0].bytes is -1, expected a whole number'],
		['a field too many', { more: 1 }, 'manifest.json.more is 1, expected no such field'],
		['another format', { format: 2 }, 'manifest.json.format is 2, expected 1'],
		['a step that was changed', { step: 1.5 }, 'manifest.json.step is 1.5, expected a whole number'],
		['an epoch that was changed', { epoch: 2 }, 'its manifest.json is not as it was written'],
	])('refuses a manifest with %s', async (_, change, reason) => {
		await save(1);
		const path = join(folderOf(1), 'manifest.json');
		writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
		await expect(openCheckpoint(folderOf(1))).rejects.toMatchObject({ message: expect.stringContaining(reason) });
	});

	it('reads no manifest of any size', async () => {
		await save(1);
		writeFileSync(join(folderOf(1), 'manifest.json'), ' '.repeat(2 ** 20 + 1));
		await expect(openCheckpoint(folderOf(1))).rejects.toMatchObject({ message: expect.stringContaining('larger than 1048576 bytes') });
	});
});

describe('rotation', () => {
	const left = () =>
		readdirSync(out)
			.map((name) => Number(name.replace('checkpoint-', '')))
			.sort((a, b) => a - b);

	// Transformers' trainer.py, _sorted_checkpoints and _rotate_checkpoints, by hand: limit 1 keeps the newest beside another best.
	it.each([
		[1, undefined, [4]],
		[2, undefined, [3, 4]],
		[9, undefined, [1, 2, 3, 4]],
		[1, 4, [4]],
		[1, 2, [2, 4]],
		[2, 1, [1, 4]],
		[3, 1, [1, 3, 4]],
		[2, 3, [3, 4]],
	])('with limit %s and best %s leaves %s of 1 to 4', async (limit, best, expected) => {
		for (const step of [1, 2, 3, 4]) await save(step);
		expect(await rotateCheckpoints(out, limit, best === undefined ? undefined : folderOf(best))).toEqual([]);
		expect(left()).toEqual(expected);
	});

	it('deletes those an earlier run has left first', async () => {
		for (const step of [800, 900, 100]) await save(step);
		await rotateCheckpoints(out, 2, undefined);
		expect(left()).toEqual([100, 900]);
	});

	it('leaves alone what has no manifest of ours', async () => {
		for (const step of [1, 2, 3]) await save(step);
		mkdirSync(folderOf(7));
		damage(1, 'manifest.json');
		await rotateCheckpoints(out, 1, undefined);
		expect(left()).toEqual([1, 3, 7]);
	});
});

describe('leftovers', () => {
	const gone = spawnSync(process.execPath, ['-e', '']).pid;
	const hour = 3_600_000;
	const make = (path: string, age: number) => {
		mkdirSync(path);
		const changed = new Date(Date.now() - age);
		utimesSync(path, changed, changed);
		return path;
	};

	it('are removed where their process is gone and they are old', async () => {
		const run = join(out, 'run');
		mkdirSync(run);
		const old = [
			make(join(run, `checkpoint-1.tmp-${gone}-0123abcd`), 2 * hour),
			make(join(run, `.trash-${gone}-0123abcd`), 2 * hour),
			make(join(out, `run.tmp-${gone}-0123abcd`), 2 * hour),
		];
		const kept = [
			make(join(run, `checkpoint-2.tmp-${gone}-0123abcd`), hour / 2),
			make(join(run, `checkpoint-3.tmp-${process.pid}-0123abcd`), 2 * hour),
			make(join(run, `checkpoint-4.tmp-${gone}`), 2 * hour),
			make(join(run, 'checkpoint-5'), 2 * hour),
			make(join(out, `other.tmp-${gone}-0123abcd`), 2 * hour),
			make(join(out, `.trash-${gone}-0123abcd`), 2 * hour),
		];
		await removeLeftovers(run);
		expect(old.filter((path) => existsSync(path))).toEqual([]);
		expect(kept.filter((path) => !existsSync(path))).toEqual([]);
	});

	it('are not looked for where there is no folder', async () => {
		await removeLeftovers(join(out, 'none'));
	});
});
