"""Options that several commands have."""

from collections.abc import Callable, Sequence

import click

from ncodec.cli.parameters import Amount, Bytes, FrameRate

EPILOG = "Exit codes: 0 done, 1 something failed, 2 the command line was wrong."

Command = Callable[..., None]
LIKE = click.option(
    "--like",
    metavar="FILE",
    help="Tensors that these resemble, such as those a model was tuned from; readers need it too.",
)


def backend_options(command: Command) -> Command:
    """Add --backend and --threads."""
    options = [
        click.option(
            "--backend",
            type=click.Choice(["onnx", "torch"]),
            default="onnx",
            show_default=True,
            help=(
                "Library that runs the networks; any of them decodes any file to the same symbols."
            ),
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, 256),
            help="CPU threads (1 to 256; default: all cores).",
        ),
    ]
    return _with(options, command)


def output_options(command: Command) -> Command:
    """Add --output, --force and --json."""
    options = [
        click.option("-o", "--output", help="Output file, folder, or - for standard output."),
        click.option("-f", "--force", is_flag=True, help="Overwrite existing files."),
        click.option(
            "--json", "as_json", is_flag=True, help="Print one JSON object for each file."
        ),
    ]
    return _with(options, command)


def strict_option(command: Command) -> Command:
    """Add --strict."""
    option = click.option(
        "--strict",
        is_flag=True,
        help="Fail, and write nothing, where a notice would name a loss or a conversion.",
    )
    return option(command)


def target_options(command: Command) -> Command:
    """Add the options that say how good or how large a file is to be."""
    options = [
        click.option(
            "-q", "--quality", type=click.FloatRange(0, 100), help="Quality, 0 to 100 (default 50)."
        ),
        click.option(
            "--bpp",
            type=click.FloatRange(0, min_open=True),
            help="Largest file, in bits per pixel.",
        ),
        click.option("--size", type=Bytes(), help="Largest file, in bytes, such as 20k."),
        click.option(
            "--psnr", type=click.FloatRange(0, min_open=True), help="Least PSNR over RGB, in dB."
        ),
        click.option("--lossless", is_flag=True, help="Give every pixel back as it is."),
        click.option(
            "--bitrate",
            type=Amount(),
            help="Clips: bits a second of the frames on average, such as 800k.",
        ),
    ]
    return _with(options, command)


def clip_options(command: Command) -> Command:
    """Add the options of encoding that concern clips alone."""
    options = [
        click.option(
            "--gop",
            type=click.IntRange(1),
            help="Clips: most frames from one intra frame to the next.",
        ),
        click.option("--intra-only", is_flag=True, help="Clips: predict no frame from another."),
        click.option(
            "--fps",
            type=FrameRate(),
            help="Clips: frames a second of numbered pictures, such as 24 or 30000/1001.",
        ),
    ]
    return _with(options, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
