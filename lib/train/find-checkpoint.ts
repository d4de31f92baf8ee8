/** The checkpoint to go on from, checked to the last byte. */
import { basename, resolve } from 'node:path';
import { TrainingError } from '../errors.js';
import { isFolder } from '../runtime/is-file.js';
import { type Checkpoint, type Damaged, listCheckpoints } from './checkpoint.js';
import { fileFault, readManifest } from './manifest.js';

export interface FindOptions {
	/** Whether files are read and their hashes compared, or only their sizes. @default true */
	readonly hashes?: boolean;
	/** Whether a checkpoint that is not whole is refused instead of passed over. @default false */
	readonly strict?: boolean;
}

export interface Found {
	/** The newest whole one; undefined where there is none at all. */
	readonly checkpoint: Checkpoint | undefined;
	/** Newer ones, or ones whose age nobody can tell, that are not whole. */
	readonly passedOver: readonly Damaged[];
}

/** Throws TrainingError CHECKPOINT_DAMAGED where there are checkpoints and none is whole, or with `strict` at the first that is not. */
export async function findCheckpoint(outputDir: string, { hashes = true, strict = false }: FindOptions = {}): Promise<Found> {
	const { readable, unreadable } = await listCheckpoints(outputDir);
	const passedOver = [...unreadable];
	for (const checkpoint of readable) {
		const reason = await fileFault(checkpoint, hashes);
		if (reason === undefined) {
			const [first] = passedOver;
			if (strict && first !== undefined) throw damaged(first);
			return { checkpoint, passedOver };
		}
		passedOver.push({ folder: checkpoint.folder, reason });
	}
	const [first, ...others] = passedOver;
	if (first !== undefined) throw damaged(first, others);
	return { checkpoint: undefined, passedOver };
}

/** The checkpoint at `path`. Throws TrainingError CHECKPOINT_NOT_FOUND or CHECKPOINT_DAMAGED. */
export async function openCheckpoint(path: string, { hashes = true }: Pick<FindOptions, 'hashes'> = {}): Promise<Checkpoint> {
	const folder = resolve(path);
	if (!(await isFolder(folder))) {
		throw new TrainingError('CHECKPOINT_NOT_FOUND', `Expected a checkpoint at ${folder}, but there is no such folder`);
	}
	const manifest = await readManifest(folder).catch(async (error: Error) => {
		const inside = await listCheckpoints(folder);
		const names = inside.readable.map(({ folder }) => basename(folder));
		throw damaged({ folder, reason: error.message }, [], names.length > 0 ? `name one of those in it: ${names.join(', ')}` : undefined);
	});
	const reason = await fileFault({ folder, manifest }, hashes);
	if (reason !== undefined) throw damaged({ folder, reason });
	return { folder, manifest };
}

function damaged(first: Damaged, others: readonly Damaged[] = [], hint = 'go on from an older checkpoint, or start the run again'): TrainingError {
	const more = others.length === 0 ? '' : `; nor are ${others.map(({ folder }) => basename(folder)).join(', ')}`;
	return new TrainingError('CHECKPOINT_DAMAGED', `${first.folder} is not a whole checkpoint: ${first.reason}${more}`, {
		hint,
		details: { folders: [first, ...others] },
	});
}
