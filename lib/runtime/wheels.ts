/**
 * The libtorch that is fetched, one wheel for each platform. Data, not a pattern: names and tags follow no rule that holds.
 * Sizes and SHA-256 were taken from the files themselves (November 2026).
 */
export interface Wheel {
	readonly file: string;
	readonly sha256: string;
	readonly bytes: number;
	/** Bytes that stay in the cache: CPU libraries and headers. */
	readonly kept: number;
	/** pip's --abi and --platform: named, because 1.11.0 exists for no newer Python. */
	readonly abi: string;
	readonly platform: string;
	/** SHA-256 of what stays of torch/lib. */
	readonly libraries: Readonly<Record<string, string>>;
}

export const torchVersion = '1.11.0';

const wheels: Readonly<Record<string, Wheel>> = {
	'linux-x64': {
		file: 'torch-1.11.0-cp310-cp310-manylinux1_x86_64.whl',
		sha256: '62052b50fffc29ca7afc0c04ef8206b6f1ca9d10629cb543077e12967e8d0398',
		bytes: 750_593_273,
		kept: 480_000_000,
		abi: 'cp310',
		platform: 'manylinux1_x86_64',
		libraries: {
			'libc10.so': 'ad22576fa3ddec246349aeeb94efd25365a407e94cd5cb76aab58f40f5c3bfc3',
			'libcudart-80664282.so.10.2': 'd63da6a6827ab4189cbc9504b5dcc84065e11e09f8830ee2338a53b79f89a078',
			'libgomp-a34b3233.so.1': '7923ba20d384f3019038ceeb8f0ad070391412b4cc5a206589abcf5b6fc68352',
			'libtorch_cpu.so': '7a368290593aeb0edf5bd8cdf87e3516c355f11661ef64b9d6f650e960846d7b',
		},
	},
	'linux-arm64': {
		file: 'torch-1.11.0-cp310-cp310-manylinux2014_aarch64.whl',
		sha256: '866bfba29ac98dec35d893d8e17eaec149d0ac7a53be7baae5c98069897db667',
		bytes: 50_901_403,
		kept: 150_000_000,
		abi: 'cp310',
		platform: 'manylinux2014_aarch64',
		libraries: {
			'libc10.so': '7c6107a7a0b7ab123bc0e0113168a9995f344a929debdb163364200c4df6a1f3',
			'libgomp-d22c30c5.so.1': '9f715f2cd9309454e02335fd3e7fba06e47672452a8e6bd970c4188828a3ca00',
			'libtorch_cpu.so': 'e2c7974754bec854362d2811d57f2894ec960c90ab81c96401ec538cf48235c3',
		},
	},
	'darwin-x64': {
		file: 'torch-1.11.0-cp310-none-macosx_10_9_x86_64.whl',
		sha256: '5d77b5ece78fdafa5c7f42995ff9474399d22571cd6b2de21a5d666306a2ff8c',
		bytes: 130_100_765,
		kept: 400_000_000,
		abi: 'none',
		platform: 'macosx_10_9_x86_64',
		libraries: {
			'libc10.dylib': 'cc60377794ae218bbd53348da8e041a35f30efd120edbbe46b7cfb790e07cba8',
			'libiomp5.dylib': 'e655f81abfbd9b14946bf14e0d42a06bae57679dda78f45e303d143101ed3545',
			'libtorch_cpu.dylib': '0ca2c068039e60b556a061fea374e3f7922d770226cd4aac04217dabd7e0e637',
		},
	},
	'darwin-arm64': {
		file: 'torch-1.11.0-cp310-none-macosx_11_0_arm64.whl',
		sha256: 'b5a38682769b544c875ecc34bcb81fbad5c922139b61319aacffcfd8a32f528c',
		bytes: 43_134_611,
		kept: 140_000_000,
		abi: 'none',
		platform: 'macosx_11_0_arm64',
		libraries: {
			'libc10.dylib': 'b151e1437358b7d7185a0ae263791bb1b5258fdfb57ba69cd1e18aaae804c8af',
			'libtorch_cpu.dylib': '6fc3d7f0b6b611ded397bfbad1d51d4d80025798338c68a977ddf1bc721d8d6b',
		},
	},
	'win32-x64': {
		file: 'torch-1.11.0-cp310-cp310-win_amd64.whl',
		sha256: '951640fb8db308a59d9b510e7d1ad910aff92913323bbe4bc75435347ddd346d',
		bytes: 157_987_904,
		kept: 280_000_000,
		abi: 'cp310',
		platform: 'win_amd64',
		libraries: {
			'asmjit.dll': '41499e85e7135c2adb7c904384f450e82c05cb808a27d665c89d9d3d35fb81cd',
			'c10.dll': 'b8451def0f84b0753909f572f60af8c9ac91a1d390893a99a8132ea2665adc16',
			'fbgemm.dll': 'b86c1837d5bdab82852ea385bef96f4c7848935db0b9743db28da6d1f4c3d9c6',
			'libiomp5md.dll': 'ee6c4a8156b6afea82647326219c89cadc6e03648467d03f2db13e471b6d79db',
			'torch_cpu.dll': '46523cc1babc49df992debb7e52a1f538b5e717a0fa46eeaf814826f77525f53',
			'uv.dll': 'd6e517084425092066d4b26678320eb60edf2c79ade855bd67b829113f999da6',
		},
	},
};

/** The wheel for a platform and an architecture as Node names them; undefined where there is none. */
export function wheelFor(platform: string = process.platform, arch: string = process.arch): Wheel | undefined {
	return wheels[`${platform}-${arch}`];
}

/** The wheel whose file `name` is, for any platform. */
export function wheelNamed(name: string): Wheel | undefined {
	return Object.values(wheels).find((wheel) => wheel.file === name);
}
